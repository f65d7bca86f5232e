/**
 * Entry of the fold thread (bundled as fold-worker.js beside main.js): runs fold tasks with clients and a heap of its
 * own, so that a fold neither blocks the shards' event loop nor takes the process down when it needs too much memory.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { S3Client } from '@aws-sdk/client-s3';
import { useCases } from '../../use-cases';
import { adapters } from '../kcl';
import { runFoldTask, type FoldRequest } from './fold/runner';
import { HTTP_TIMEOUTS } from './stores/http-timeouts';
import { S3ObjectStore } from './stores/s3-object-store';

const { bucket } = workerData as { bucket: string };
const objects = new S3ObjectStore(new S3Client({ requestHandler: HTTP_TIMEOUTS }), bucket, adapters.systemClock);
const byName = new Map(useCases.map((useCase) => [useCase.name, useCase]));

parentPort!.on('message', ({ id, request }: { id: number; request: FoldRequest }) => {
  runFoldTask(objects, byName, request).then(
    (outcome) => parentPort!.postMessage({ id, outcome }),
    (error: Error) => parentPort!.postMessage({ id, error: { name: error.name, message: error.message } }),
  );
});
