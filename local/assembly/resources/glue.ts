import { physicalName } from '../names';
import { optionalObject, optionalText, requireText } from '../provisioner';
import type { Properties, Provisioner, ResourceRequest } from '../provisioner';
import { unless } from '../service-calls';

const EXISTS = ['AlreadyExistsException'];

export const database: Provisioner = async (resource, calls) => {
  const input = optionalObject(resource.properties, 'DatabaseInput') ?? {};
  const Name = physicalNameOf(resource, input);
  const DatabaseInput = { ...input, Name };
  const created = await unless(EXISTS, calls.json('glue', 'CreateDatabase', { DatabaseInput }));
  if (created === undefined) await calls.json('glue', 'UpdateDatabase', { Name, DatabaseInput });
  return { physicalId: Name };
};

/** The table's partitions stay. */
export const table: Provisioner = async (resource, calls) => {
  const DatabaseName = requireText(resource.properties, 'DatabaseName');
  const input = optionalObject(resource.properties, 'TableInput') ?? {};
  const Name = physicalNameOf(resource, input);
  const TableInput = { ...input, Name };
  const created = await unless(EXISTS, calls.json('glue', 'CreateTable', { DatabaseName, TableInput }));
  if (created === undefined) await calls.json('glue', 'UpdateTable', { DatabaseName, TableInput });
  return { physicalId: Name };
};

/** Names of the catalog are lower-case. */
function physicalNameOf({ stack, logicalId }: ResourceRequest, input: Properties): string {
  return (
    optionalText(input, 'Name') ??
    physicalName(stack, logicalId, { maximumLength: 255, lowerCase: true }).replace(/-/g, '_')
  );
}
