import { isRecord } from './shape.ts';

/**
 * What the digest of docker's signed schema 1 is of: the manifest as it was before its signatures were
 * put into it (distribution manifest-v2-1.md, "Signed Manifests"). `undefined` for what is no such
 * manifest. Nobody checks the signatures.
 */
export function signedPayload(manifest: Uint8Array): Uint8Array | undefined {
  const value = recordIn(manifest);
  const signatures = Array.isArray(value?.['signatures']) ? value['signatures'] : [];
  const first: unknown = signatures[0];
  const header = isRecord(first) ? first['protected'] : undefined;
  if (typeof header !== 'string') return undefined;
  const { formatLength: length, formatTail: tail } =
    recordIn(Buffer.from(header, 'base64url')) ?? {};
  if (typeof length !== 'number' || !Number.isInteger(length) || typeof tail !== 'string') {
    return undefined;
  }
  if (length < 0 || length > manifest.length) return undefined;
  return Buffer.concat([manifest.subarray(0, length), Buffer.from(tail, 'base64url')]);
}

function recordIn(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
