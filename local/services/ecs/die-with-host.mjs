// @ts-check
/**
 * Loaded before a container's own program: when the process that plays the host is gone, its containers are gone too.
 * Without it a local run that was killed would leave its tasks behind, and the next run would start more beside them.
 */
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.channel?.unref();
