/** The local services in a process of their own, so that they answer while the test blocks its event loop. */
import { startLocalServices } from './local-services';

void startLocalServices().then(async (services) => {
  await services.createLeaseTable('app');
  process.stdout.write(JSON.stringify(services.environment));
  // Ends with its parent.
  process.stdin.on('end', () => process.exit(0)).resume();
});
