/**
 * AWS IoT Core's message broker on loopback: MQTT 3.1.1 over mutual TLS. A certificate that the local authority signed
 * and the registry holds ACTIVE is the principal; its policies decide on Connect, Publish, Subscribe and Receive.
 *
 * A PUBLISH is acknowledged only once the rules engine has placed it (RulesEngine.process), and the next bytes of the
 * connection are read only then, so that a slow stream slows its devices down and loses nothing.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import type { Server, TLSSocket } from 'node:tls';
import { Aedes } from 'aedes';
import type { AuthenticateError, Client, PublishPacket, Subscription } from 'aedes';
import type { Clock } from '../../gateway/service';
import type { CertificateAuthority } from './authority';
import { DeviceSession, clientIdFault } from './device-session';
import { certificateIdOf } from './operations/certificates';
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
  /** '' before the client said who it is. */
  readonly clientId: string;
  readonly action: 'TLS' | 'iot:Connect' | 'iot:Publish' | 'iot:Subscribe';
  readonly detail: string;
}

/** AWS IoT Core quotas: bytes of a payload. */
const LARGEST_PAYLOAD = 128 * 1024;
/** MQTT 3.1.1 CONNACK return code. */
const NOT_AUTHORIZED = 5;
/** Packets of one connection that may wait for its CONNECT to be answered. */
const MOST_WAITING = 1_000;

export class MqttBroker {
  /** `connected`: now; the others since the start. */
  readonly counts = { connected: 0, published: 0, refused: 0 };
  private readonly sessions = new WeakMap<Client, DeviceSession>();
  private readonly sockets = new Set<TLSSocket>();
  private running: { readonly aedes: Aedes; readonly server: Server } | undefined;

  constructor(private readonly options: MqttBrokerOptions) {}

  /**
   * Listens on 127.0.0.1; 0 takes any free port.
   *
   * @returns the port
   * @throws Error with code EADDRINUSE where the port is taken
   */
  async listen(port: number): Promise<number> {
    const { authority, clock, rules } = this.options;
    const own = authority.issueServerCertificate(['localhost', '127.0.0.1'], clock.now());
    const server = createServer({
      key: own.privateKeyPem,
      cert: own.certificatePem,
      ca: authority.certificatePem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const aedes = await Aedes.createBroker({ maxClientsIdLength: 128, queueLimit: MOST_WAITING });
    this.wire(aedes, server);
    rules.toSubscribers = (topic, payload, qos) =>
      new Promise((resolve, reject) => {
        const packet = { cmd: 'publish' as const, topic, payload, qos, retain: false, dup: false };
        aedes.publish(packet, (error) => (error ? reject(error) : resolve()));
      });
    this.running = { aedes, server };
    return (server.address() as AddressInfo).port;
  }

  /** Ends every connection; publishes that were not acknowledged are sent again by their devices. */
  async close(): Promise<void> {
    if (this.running === undefined) return;
    const { aedes, server } = this.running;
    this.running = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    await new Promise<void>((resolve) => aedes.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private wire(aedes: Aedes, server: Server): void {
    server.on('secureConnection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      aedes.handle(socket);
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException) => {
      this.refuse(
        'TLS',
        '',
        `no TLS 1.2 connection with a certificate of this authority: ${error.code ?? error.message}`,
      );
    });
    aedes.on('clientReady', () => this.counts.connected++);
    aedes.on('clientDisconnect', () => this.counts.connected--);
    // A client's error ends its own connection and nothing else.
    aedes.on('clientError', () => undefined);
    aedes.on('connectionError', () => undefined);
    aedes.preConnect = (_client, { clientId }, callback) => {
      const fault = clientIdFault(clientId);
      callback(fault === undefined ? null : this.refuse('iot:Connect', clientId, fault), fault === undefined);
    };
    aedes.authenticate = (client, _username, _password, done) => {
      const refusal = this.connect(client);
      if (refusal === undefined) done(null, true);
      else
        done(
          Object.assign(this.refuse('iot:Connect', client.id, refusal), {
            returnCode: NOT_AUTHORIZED,
          }) as AuthenticateError,
          null,
        );
    };
    aedes.authorizePublish = (client, packet, callback) => {
      if (client === null) return callback();
      this.publish(client, packet).then(
        () => callback(),
        (error: Error) => callback(this.refuse('iot:Publish', client.id, error.message)),
      );
    };
    aedes.authorizeSubscribe = (client, subscription, callback) => this.subscribe(client, subscription, callback);
    aedes.authorizeForward = (client, packet) => (this.mayReceive(client, packet.topic) ? packet : null);
  }

  /** Why not. */
  private connect(client: Client): string | undefined {
    const { registry } = this.options;
    const socket = client.conn as TLSSocket;
    const certificate = socket.getPeerX509Certificate();
    const session = new DeviceSession({
      registry,
      clientId: client.id,
      certificateId: certificate === undefined ? '' : certificateIdOf(certificate),
      sourceIp: socket.remoteAddress ?? '127.0.0.1',
    });
    if (!session.isActive()) return 'the certificate is not registered, or not ACTIVE';
    if (!session.mayConnect()) return `no policy of the certificate allows iot:Connect on client/${client.id}`;
    this.sessions.set(client, session);
    return undefined;
  }

  /** Rejects to end the connection: that is how AWS IoT answers a PUBLISH it refuses. */
  private async publish(client: Client, packet: PublishPacket): Promise<void> {
    const session = this.sessions.get(client);
    if (session === undefined) throw new Error('not connected');
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    if (packet.qos === 2) throw new Error('QoS 2 is not supported by AWS IoT Core');
    if (payload.length > LARGEST_PAYLOAD)
      throw new Error(`the payload has ${payload.length} bytes; at most ${LARGEST_PAYLOAD} are allowed`);
    const basicIngest = readBasicIngest(packet.topic);
    const topic = basicIngest?.topic ?? packet.topic;
    if (basicIngest === undefined && topic.startsWith('$'))
      throw new Error(`the reserved topic ${topic} is not served by the local broker`);
    const fault = topicFault(topic);
    if (fault !== undefined) throw new Error(`the topic ${fault}`);
    if (!session.mayPublish(packet.topic, packet.retain === true))
      throw new Error(`no policy of the certificate allows iot:Publish on topic/${packet.topic}`);
    this.counts.published++;
    await this.options.rules.process({
      topic,
      payload,
      clientId: client.id,
      principal: session.certificateId,
      sourceIp: session.sourceIp,
      ...(basicIngest !== undefined && { basicIngestRule: basicIngest.rule }),
    });
  }

  /** A filter that no policy allows gets SUBACK's failure code; one that AWS IoT does not take ends the connection. */
  private subscribe(
    client: Client,
    subscription: Subscription,
    callback: (error: Error | null, granted?: Subscription | null) => void,
  ): void {
    const { topic, qos } = subscription;
    const fault = qos === 2 ? 'QoS 2 is not supported by AWS IoT Core' : topicFilterFault(topic);
    if (fault !== undefined) return callback(this.refuse('iot:Subscribe', client.id, fault));
    if (!topic.startsWith('$') && this.sessions.get(client)?.maySubscribe(topic) === true)
      return callback(null, subscription);
    this.refuse(
      'iot:Subscribe',
      client.id,
      `no policy of the certificate allows iot:Subscribe on topicfilter/${topic}`,
    );
    callback(null, null);
  }

  /** Basic Ingest topics have no subscribers. */
  private mayReceive(client: Client, topic: string): boolean {
    return readBasicIngest(topic) === undefined && this.sessions.get(client)?.mayReceive(topic) === true;
  }

  private refuse(action: RefusalLogEntry['action'], clientId: string, detail: string): Error {
    this.counts.refused++;
    this.options.onRefused?.({ level: 'WARN', event: 'Refused', clientId, action, detail });
    return new Error(`${action}: ${detail}`);
  }
}
