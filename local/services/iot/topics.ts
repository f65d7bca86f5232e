/** MQTT topics and topic filters, with AWS IoT Core's limits (its quotas, "Protocol"). */

const LONGEST_TOPIC_BYTES = 256;
const MOST_SLASHES = 7;
/** AWS allows more slashes in filters of reserved topics only; a filter has the topic's limits here. */
const BASIC_INGEST = /^\$aws\/rules\/([^/]+)\/(.+)$/;

/** The rule that a Basic Ingest topic names, and the topic that the rule sees. */
export function readBasicIngest(topic: string): { readonly rule: string; readonly topic: string } | undefined {
  const match = BASIC_INGEST.exec(topic);
  return match === null ? undefined : { rule: match[1]!, topic: match[2]! };
}

/** What is wrong with a topic to publish to, after the Basic Ingest prefix. */
export function topicFault(topic: string): string | undefined {
  if (topic === '') return 'is empty';
  return /[+#]/.test(topic) ? 'holds a wildcard' : sizeFault(topic);
}

/** What is wrong with a topic filter. */
export function topicFilterFault(filter: string): string | undefined {
  if (filter === '') return 'is empty';
  const levels = filter.split('/');
  for (const [index, level] of levels.entries()) {
    if (level.includes('+') && level !== '+') return 'has a + that is no whole level';
    if (level.includes('#') && (level !== '#' || index < levels.length - 1))
      return 'has a # that is not the last level';
  }
  return sizeFault(filter);
}

function sizeFault(topic: string): string | undefined {
  if (Buffer.byteLength(topic) > LONGEST_TOPIC_BYTES)
    return `has ${Buffer.byteLength(topic)} bytes; at most ${LONGEST_TOPIC_BYTES} are allowed`;
  const slashes = topic.split('/').length - 1;
  return slashes > MOST_SLASHES ? `has ${slashes} slashes; at most ${MOST_SLASHES} are allowed` : undefined;
}

/** A function that tells whether a topic matches the filter. Wildcards do not match reserved topics ($…). */
export function topicMatcher(filter: string): (topic: string) => boolean {
  const wanted = filter.split('/');
  const open = wanted.at(-1) === '#';
  const count = open ? wanted.length - 1 : wanted.length;
  const reserved = filter.startsWith('$');
  return (topic) => {
    if (topic.startsWith('$') && !reserved) return false;
    const levels = topic.split('/');
    if (open ? levels.length < count : levels.length !== count) return false;
    for (let index = 0; index < count; index++) {
      if (wanted[index] !== '+' && wanted[index] !== levels[index]) return false;
    }
    return true;
  };
}
