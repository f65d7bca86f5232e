/** The local Kinesis and DynamoDB in a process of their own; writes their environment to stdout, ends with its parent. */
import { startLocalServices } from '../kcl/support/local-services';

void startLocalServices().then((services) => {
  process.stdout.write(`${JSON.stringify(services.environment)}\n`);
  process.stdin.on('end', () => process.exit(0)).resume();
});
