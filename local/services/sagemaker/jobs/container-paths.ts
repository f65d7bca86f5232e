/**
 * Where a container's paths are on this machine. A job's `/opt/ml` is its job directory, and the image's working
 * directory is the directory of the image's files; `node` is the Node that runs this. Nothing else differs from the
 * container.
 */
import type { ContainerImage } from '../ports';

const ML_ROOT = '/opt/ml';

/** Replaces every path at or below /opt/ml in a text. `/opt/mlx` and `/my/opt/ml` are other paths. */
export function mapMlPaths(text: string, jobDirectory: string): string {
  return text.replace(/(^|[^\w\-./])\/opt\/ml(?![\w\-.])/g, (_, before: string) => `${before}${jobDirectory}`);
}

/** The directory on this machine of an absolute path at or below /opt/ml. */
export function localPath(path: string, jobDirectory: string): string {
  return `${jobDirectory}${path.slice(ML_ROOT.length)}`;
}

/** argv of the container's process. */
export function processArguments(
  image: ContainerImage,
  entrypoint: readonly string[] | undefined,
  args: readonly string[] | undefined,
  jobDirectory: string,
): string[] {
  // Docker's rule: an overridden entrypoint drops the image's CMD as well.
  const whole = [...(entrypoint ?? image.entrypoint), ...(args ?? (entrypoint ? [] : image.command))];
  return whole.map((part, index) => {
    if (index === 0 && (part === 'node' || part.endsWith('/node'))) return process.execPath;
    const { workingDirectory, directory } = image;
    if (part === workingDirectory || part.startsWith(`${workingDirectory}/`))
      return `${directory}${part.slice(workingDirectory.length)}`;
    return mapMlPaths(part, jobDirectory);
  });
}
