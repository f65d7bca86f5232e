/**
 * AWS IoT Core's message broker on this machine: MQTT 3.1.1 by aedes over mutual TLS, certificates and policies of the
 * control plane, AWS's limits. A publish is acknowledged once the rules engine has handed it on, so a QoS 1 publish that
 * a device saw acknowledged is on the stream; a message that could be handed to nobody closes the connection instead.
 */
import { Aedes } from 'aedes';
import type { AedesPublishPacket, Client, ConnectPacket, PublishPacket, Subscription } from 'aedes';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import type { Server, TLSSocket } from 'node:tls';
import type { Clock } from '../../gateway/service';
import type { CertificateAuthority } from './authority';
import { arnOf } from './operations/operation';
import { isAllowed, parsePolicy } from './policy';
import type { PolicyContext, PolicyStatement } from './policy';
import type { Registry } from './registry';
import type { RulesEngine } from './rules/rules-engine';
import { readBasicIngest, topicFault, topicFilterFault } from './topics';

export interface MqttBrokerOptions {
  readonly registry: Registry;
  readonly rules: RulesEngine;
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
  /** Refused connections, publishes and subscriptions, as AWS IoT logs them: never a payload. */
  readonly onRefused?: (entry: RefusalLogEntry) => void;
}

export interface RefusalLogEntry {
  readonly level: 'WARN';
  readonly event: 'Refused';
  readonly clientId: string;
  readonly action: string;
  readonly detail: string;
}

/** @see https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits */
const LARGEST_PAYLOAD = 128 * 1024;
const LONGEST_CLIENT_ID = 128;
/** AWS allows 100 unacknowledged publishes of one client. */
const MOST_UNACKNOWLEDGED = 100;

interface Session {
  /** Certificate id, hex. */
  readonly principal: string;
  readonly sourceIp: string;
  /** Statements of the certificate's policies, as of the registry's revision. */
  revision: number;
  statements: readonly PolicyStatement[];
  context: PolicyContext;
}

export class MqttBroker {
  private aedes: Aedes | undefined;
  private server: Server | undefined;
  private readonly sockets = new Set<TLSSocket>();

  constructor(private readonly options: MqttBrokerOptions) {}

  /**
   * Listens on 127.0.0.1. @returns the port.
   * @throws Error with code EADDRINUSE where the port is taken
   */
  async listen(port: number): Promise<number> {
    const { authority, clock, rules } = this.options;
    const aedes = await Aedes.createBroker({
      concurrency: MOST_UNACKNOWLEDGED,
      maxClientsIdLength: LONGEST_CLIENT_ID,
      preConnect: (client, packet, done) => done(null, this.preConnect(client, packet)),
      authenticate: (client, _username, _password, done) => {
        if (this.isAllowed(client, 'iot:Connect', arnOf('client', client.id))) return done(null, true);
        done(Object.assign(new Error('not authorized'), { returnCode: NOT_AUTHORIZED }), false);
      },
      authorizePublish: (client, packet, done) => void this.publish(client, packet).then(() => done(null), done),
      authorizeSubscribe: (client, subscription, done) => done(null, this.subscription(client, subscription)),
      authorizeForward: (client, packet) => (this.mayReceive(client, packet) ? packet : null),
    });
    aedes.on('clientError', () => undefined);
    aedes.on('connectionError', () => undefined);
    const { certificatePem, privateKeyPem } = authority.issueServerCertificate(['localhost', '127.0.0.1'], clock.now());
    const server = createServer({
      cert: certificatePem,
      key: privateKeyPem,
      ca: authority.certificatePem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
    });
    server.on('secureConnection', (socket) => this.accept(aedes, socket));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    rules.toSubscribers = (topic, payload, qos) =>
      new Promise((resolve, reject) => {
        const packet = { cmd: 'publish' as const, topic, payload, qos, retain: false, dup: false };
        aedes.publish(packet, (error) => (error ? reject(error) : resolve()));
      });
    this.aedes = aedes;
    this.server = server;
    return (server.address() as AddressInfo).port;
  }

  /** Closes every connection; publishes that are not acknowledged yet are sent again by their devices. */
  async close(): Promise<void> {
    const { aedes, server } = this;
    this.aedes = this.server = undefined;
    if (!aedes || !server) return;
    const closed = once(server, 'close');
    server.close();
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private accept(aedes: Aedes, socket: TLSSocket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const principal = (socket.getPeerCertificate().fingerprint256 ?? '').replaceAll(':', '').toLowerCase();
    if (this.options.registry.certificates.get(principal)?.status !== 'ACTIVE') {
      this.log('', 'iot:Connect', `certificate ${principal} is not active`);
      socket.destroy();
      return;
    }
    sessions.set(socket, {
      principal,
      sourceIp: socket.remoteAddress ?? '',
      revision: -1,
      statements: [],
      context: {},
    });
    aedes.handle(socket);
  }

  private preConnect(_client: Client, packet: ConnectPacket): boolean {
    // AWS IoT takes no will that its limits would refuse, and no empty client id with a persistent session.
    return packet.will === undefined || packet.will.payload.length <= LARGEST_PAYLOAD;
  }

  /** Resolves once every rule handed the message on. @throws Error, which closes the connection as AWS IoT does */
  private async publish(client: Client | null, packet: PublishPacket): Promise<void> {
    if (client === null) return;
    const payload = Buffer.from(packet.payload);
    const basicIngest = readBasicIngest(packet.topic);
    const topic = basicIngest?.topic ?? packet.topic;
    const fault =
      packet.qos === 2
        ? 'QoS 2 is not supported'
        : payload.length > LARGEST_PAYLOAD
          ? `the payload has ${payload.length} bytes; at most ${LARGEST_PAYLOAD} are allowed`
          : topicFault(topic);
    if (fault !== undefined) throw this.refused(client, 'iot:Publish', fault);
    const resource = arnOf('topic', packet.topic);
    if (!this.isAllowed(client, 'iot:Publish', resource)) throw new Error(`not authorized: iot:Publish on ${resource}`);
    if (packet.retain && !this.isAllowed(client, 'iot:RetainPublish', resource)) {
      throw new Error(`not authorized: iot:RetainPublish on ${resource}`);
    }
    const { principal, sourceIp } = sessionOf(client);
    await this.options.rules.process({
      topic,
      payload,
      clientId: client.id,
      principal,
      sourceIp,
      ...(basicIngest && { basicIngestRule: basicIngest.rule }),
    });
  }

  /** Null is a failure code in the SUBACK. */
  private subscription(client: Client, subscription: Subscription): Subscription | null {
    const fault = topicFilterFault(subscription.topic);
    if (fault !== undefined) {
      this.refused(client, 'iot:Subscribe', fault);
      return null;
    }
    if (!this.isAllowed(client, 'iot:Subscribe', arnOf('topicfilter', subscription.topic))) return null;
    return { ...subscription, qos: subscription.qos === 0 ? 0 : 1 };
  }

  private mayReceive(client: Client, packet: AedesPublishPacket): boolean {
    return this.isAllowed(client, 'iot:Receive', arnOf('topic', packet.topic));
  }

  private isAllowed(client: Client, action: string, resource: string): boolean {
    const session = sessionOf(client);
    if (session.revision !== this.options.registry.revision) this.refresh(session, client.id);
    const { statements, context } = session;
    if (isAllowed(statements, { action, resource, context })) return true;
    this.refused(client, action, `no policy of certificate ${session.principal} allows it on ${resource}`);
    return false;
  }

  /** Policies and attachments may change while a device is connected; they hold from its next request on. */
  private refresh(session: Session, clientId: string): void {
    const { registry } = this.options;
    const certificateArn = arnOf('cert', session.principal);
    const active = registry.certificates.get(session.principal)?.status === 'ACTIVE';
    const policies = registry.policies.list().filter(({ targets }) => active && targets.includes(certificateArn));
    const attached = registry.things
      .list()
      .filter(({ principals }) => principals.some(({ principal }) => principal === certificateArn));
    // The client id names the thing, unless the certificate is attached to one thing exclusively.
    const thing =
      attached.find(({ thingName }) => thingName === clientId) ??
      attached.find(({ principals }) => principals.some((one) => one.principal === certificateArn && one.exclusive));
    session.revision = registry.revision;
    session.statements = policies.flatMap(({ policyDocument }) => parsePolicy(policyDocument));
    session.context = {
      'iot:ClientId': clientId,
      'iot:CertificateId': session.principal,
      'aws:SourceIp': session.sourceIp,
      'iot:Connection.Thing.IsAttached': String(thing !== undefined),
      'iot:Connection.Thing.ThingName': thing?.thingName,
      'iot:Connection.Thing.ThingTypeName': thing?.thingTypeName,
      ...Object.fromEntries(
        Object.entries(thing?.attributes ?? {}).map(([name, value]) => [
          `iot:Connection.Thing.Attributes[${name}]`,
          value,
        ]),
      ),
    };
  }

  private refused(client: Client, action: string, detail: string): Error {
    this.log(client.id, action, detail);
    return new Error(`${action}: ${detail}`);
  }

  private log(clientId: string, action: string, detail: string): void {
    this.options.onRefused?.({ level: 'WARN', event: 'Refused', clientId, action, detail });
  }
}

/** MQTT 3.1.1 CONNACK return code 5. */
const NOT_AUTHORIZED = 5;

const sessions = new WeakMap<object, Session>();

function sessionOf(client: Client): Session {
  const session = sessions.get(client.conn);
  if (session === undefined) throw new Error('a client without a TLS connection');
  return session;
}
