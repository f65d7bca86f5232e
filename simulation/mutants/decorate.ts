/** A consumer's dependencies with some members of one service replaced. */
import type { DynamoDbApi, KinesisApi } from '../../consumer/kcl/dependencies';
import type { ObjectStore } from '../../consumer/lake/stores/object-store';
import type { RegistryStore } from '../../consumer/lake/stores/registry-store';
import type { Plain } from './mutant';

type Change<Service> = (service: Service) => Partial<Service>;

/** Class instances too: methods are called on the service they belong to. */
function changed<Service extends object>(service: Service, change: Change<Service>): Service {
  const changes = change(service);
  return new Proxy(service, {
    get: (target, name) => {
      const member: unknown = Reflect.get(name in changes ? changes : target, name);
      return typeof member === 'function' && !(name in changes) ? member.bind(target) : member;
    },
  });
}

export function withRegistry(plain: Plain, change: Change<RegistryStore>): Plain {
  return { ...plain, registry: changed(plain.registry, change) };
}

export function withObjects(plain: Plain, change: Change<ObjectStore>): Plain {
  return { ...plain, objects: changed(plain.objects, change) };
}

export function withKinesis(plain: Plain, change: Change<KinesisApi>): Plain {
  return { ...plain, kcl: { ...plain.kcl, kinesis: changed(plain.kcl.kinesis, change) } };
}

export function withDynamoDb(plain: Plain, change: Change<DynamoDbApi>): Plain {
  return { ...plain, kcl: { ...plain.kcl, dynamodb: changed(plain.kcl.dynamodb, change) } };
}
