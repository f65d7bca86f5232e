/** The objects of an intent: created once, compared by content where they exist. */
import { parallel } from '../parallel';
import { CONTENT_HASH, ContentMismatchError, createSame, type ObjectStore } from '../stores/object-store';
import type { CutObject } from './cut';
import type { Pending } from './head';

/** Requests of one commit that are under way together. */
const PARALLEL_REQUESTS = 16;

/** Creates all objects; returns the key of one that exists with other content, if any. */
export async function createAll(objects: ObjectStore, cut: readonly CutObject[]): Promise<string | undefined> {
  let different: string | undefined;
  await parallel(cut, PARALLEL_REQUESTS, async ({ key, body, contentHash, metadata }) => {
    try {
      await createSame(objects, key, body, contentHash, metadata);
    } catch (error) {
      if (!(error instanceof ContentMismatchError)) throw error;
      different = key;
    }
  });
  return different;
}

/** True where every object of the intent exists with the content that it names: only the commit is missing. */
export async function isWritten(objects: ObjectStore, pending: Pending): Promise<boolean> {
  let written = true;
  await parallel([...pending.segments, ...pending.quarantine], PARALLEL_REQUESTS, async ({ key, contentHash }) => {
    if (!written) return;
    const head = await objects.head(key);
    if (head?.metadata[CONTENT_HASH] !== contentHash) written = false;
  });
  return written;
}
