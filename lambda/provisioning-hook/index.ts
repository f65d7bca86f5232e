import { IoTClient } from '@aws-sdk/client-iot';
import { createHandler } from './handler';

export const handler = createHandler({ iot: new IoTClient({}) });
