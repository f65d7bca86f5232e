/** The lake bucket as the lake uses it: objects are created once and never changed. */

export interface ObjectHead {
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The object's metadata holds another content hash than the caller's: somebody else wrote another thing there. */
export class ContentMismatchError extends Error {
  override readonly name = 'ContentMismatchError';
  constructor(key: string) {
    super(`object ${key} exists with other content; it is never overwritten`);
  }
}

export interface ObjectStore {
  /**
   * PUT with `If-None-Match: *`. `exists` = somebody (perhaps this caller, whose answer was lost) was first. Adapters
   * retry 409 ConditionalRequestConflict and 503.
   */
  create(key: string, body: Uint8Array, metadata: Readonly<Record<string, string>>): Promise<'created' | 'exists'>;
  head(key: string): Promise<ObjectHead | undefined>;
  /** The whole object or `[start, end)`; undefined where there is none. */
  get(key: string, range?: { readonly start: number; readonly end: number }): Promise<Uint8Array | undefined>;
}

/** Metadata name of our own sha256 over row content: an ETag under SSE-KMS is no digest of the content. */
export const CONTENT_HASH = 'content-sha256';

/**
 * Creates the object or makes sure that what stands there has the same content.
 * @throws ContentMismatchError
 */
export async function createSame(
  objects: ObjectStore,
  key: string,
  body: Uint8Array,
  contentHash: string,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  if ((await objects.create(key, body, { ...metadata, [CONTENT_HASH]: contentHash })) === 'created') return;
  const head = await objects.head(key);
  if (head?.metadata[CONTENT_HASH] !== contentHash) throw new ContentMismatchError(key);
}
