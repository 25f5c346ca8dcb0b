/** A path inside an image: no leading, trailing or doubled `/`, no `.` or `..`; the root is empty. */
export type ImagePath = string;

/** The path that a name in an archive means, `..` kept within the root as a container runtime does. */
export function pathOf(name: string): ImagePath {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}

/** Whether a name in an archive climbs: `..` anywhere in it. */
export function climbs(name: string): boolean {
  return name.split('/').includes('..');
}

export function parentOf(path: ImagePath): ImagePath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function baseOf(path: ImagePath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function joined(folder: ImagePath, name: string): ImagePath {
  return folder === '' ? name : `${folder}/${name}`;
}

/** Every folder above a path, the root first. */
export function ancestorsOf(path: ImagePath): ImagePath[] {
  if (path === '') return [];
  const ancestors = [''];
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    ancestors.push(path.slice(0, at));
  }
  return ancestors;
}

/** Whether a path is the folder or lies below it. */
export function isWithin(path: ImagePath, folder: ImagePath): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}
