/** One device: a mutual-TLS MQTT connection that publishes telemetry at QoS 1. */
import { connectAsync, type MqttClient } from 'mqtt';
import { telemetryTopic } from '../../lib/contracts/topics';
import { UserError } from './command-line';

export interface DeviceIdentityFiles {
  /** Thing name, which is also the MQTT client id. */
  readonly name: string;
  readonly useCase: string;
  /** PEM texts. */
  readonly certificate: string;
  readonly privateKey: string;
}

export interface MqttEndpoint {
  readonly host: string;
  readonly port: number;
  /** PEM of the certificate authority to trust; undefined = Node's own list, which holds Amazon's roots. */
  readonly ca?: string;
}

/** AWS IoT closes a connection with more than 100 unacknowledged QoS 1 publishes; we stay well below. */
const MAX_IN_FLIGHT = 20;

export class Device {
  private inFlight = new Set<Promise<void>>();
  private failure: Error | undefined;

  private constructor(
    readonly identity: DeviceIdentityFiles,
    private readonly client: MqttClient,
  ) {}

  /** @throws UserError when the endpoint refuses the connection. */
  static async connect(identity: DeviceIdentityFiles, endpoint: MqttEndpoint): Promise<Device> {
    try {
      const client = await connectAsync({
        protocol: 'mqtts',
        host: endpoint.host,
        port: endpoint.port,
        clientId: identity.name,
        cert: identity.certificate,
        key: identity.privateKey,
        ca: endpoint.ca,
        clean: true,
        keepalive: 60,
        connectTimeout: 20_000,
        reconnectPeriod: 1_000,
      });
      client.on('error', () => {});
      return new Device(identity, client);
    } catch (error) {
      throw new UserError(
        `device ${identity.name} cannot connect to ${endpoint.host}:${endpoint.port}: ${(error as Error).message}. ` +
          `Check that the endpoint runs and that the device's certificate is active and has the device policy.`,
      );
    }
  }

  /** Sends one payload; resolves when there is room for the next. `acknowledged` is called once the broker has it. */
  async publish(payload: Buffer, acknowledged: () => void): Promise<void> {
    while (this.inFlight.size >= MAX_IN_FLIGHT) await Promise.race(this.inFlight);
    if (this.failure) throw this.failure;
    const sending: Promise<void> = this.client
      .publishAsync(telemetryTopic(this.identity.useCase, this.identity.name), payload, { qos: 1 })
      .then(acknowledged, (error: Error) => {
        this.failure = new UserError(`device ${this.identity.name}: publish failed: ${error.message}`);
      })
      .finally(() => this.inFlight.delete(sending));
    this.inFlight.add(sending);
  }

  /** Resolves when everything published is acknowledged. */
  async drain(): Promise<void> {
    while (this.inFlight.size > 0) await Promise.all(this.inFlight);
    if (this.failure) throw this.failure;
  }

  async close(): Promise<void> {
    await this.client.endAsync(true);
  }
}
