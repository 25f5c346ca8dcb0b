import type { Digest } from '../../core/digest.ts';
import { isUnknown, RegistryError } from '../../core/errors.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import type { Content, PlaceOptions, Sink } from '../../core/sink.ts';
import type { Blob } from '../../core/source.ts';
import { isForeign } from '../../core/foreign.ts';
import type { ArchiveLayout, SmallFile } from './archive-layout.ts';
import { missing } from './docker-list.ts';
import type { Output } from './output.ts';
import { Received } from './received.ts';
import { take } from './take.ts';
import { padding, tarHeader, TRAILER } from './tar-write.ts';

interface Slot {
  readonly descriptor: Descriptor;
  readonly path: string;
  /** Where its header begins. */
  readonly offset: number;
  written: boolean;
}

/**
 * A tar whose files are written in place, several at once: their sizes are known beforehand, so each
 * gets its own stretch of the file when it arrives. Takes the output over until `finish`.
 */
export class TarSink implements Sink {
  readonly #output: Output;
  readonly #layout: ArchiveLayout;
  readonly #signal: AbortSignal | undefined;
  readonly #slots = new Map<Digest, Slot>();
  readonly #received = new Received();
  readonly #writing = new SingleFlight<void>();
  #end = 0;

  constructor(output: Output, layout: ArchiveLayout, signal?: AbortSignal) {
    this.#output = output;
    this.#layout = layout;
    this.#signal = signal;
  }

  async blob(
    _repository: unknown,
    descriptor: Descriptor,
    content: Content,
    { progress }: PlaceOptions = {},
  ): Promise<'present' | 'written'> {
    const { digest, size } = descriptor;
    for (;;) {
      const slot = this.#slots.get(digest);
      if (slot?.written === true) return 'present';
      if (!this.#writing.has(digest)) break;
      // Whoever writes it may fail where this content does not.
      await this.#writing.run(digest, async () => {}).catch(() => {});
    }
    const known = this.#slots.get(digest)?.descriptor.size ?? size;
    if (known !== size) {
      throw new RegistryError(
        'SIZE_INVALID',
        `${digest} cannot have both ${size} and ${known} bytes`,
      );
    }
    await this.#writing.run(digest, () => this.#fill(descriptor, content, progress));
    return 'written';
  }

  async manifest(...[repository, at, manifest]: Parameters<Sink['manifest']>): Promise<void> {
    this.#received.add(
      repository,
      at,
      manifest,
      (digest) => this.#slots.get(digest)?.written === true,
    );
  }

  /**
   * Writes what goes at the end; the output is then ready to be committed.
   * @throws RegistryError STORAGE_UNAVAILABLE; MANIFEST_INVALID for what such an archive cannot hold;
   *   BLOB_UNKNOWN if content was begun and never came whole
   */
  async finish(): Promise<void> {
    for (const { descriptor, written } of this.#slots.values()) {
      if (!written)
        throw new RegistryError('BLOB_UNKNOWN', `${descriptor.digest} was not written whole`);
    }
    const files = this.#layout.finish({
      received: this.#received,
      path: (digest) => this.#slots.get(digest)?.path,
    });
    for (const file of files) await this.#append(file);
    await this.#output.write(TRAILER, this.#end);
  }

  #allocate(descriptor: Descriptor): Slot {
    const { size } = descriptor;
    const path = this.#layout.path(descriptor);
    const slot = { descriptor, path, offset: this.#end, written: false };
    this.#end += tarHeader({ name: path, size }).length + size + padding(size);
    this.#slots.set(descriptor.digest, slot);
    return slot;
  }

  async #fill(
    descriptor: Descriptor,
    content: Content,
    progress: PlaceOptions['progress'],
  ): Promise<void> {
    const { digest, size } = descriptor;
    const header = tarHeader({ name: this.#layout.path(descriptor), size });
    // Places are in the order of asking, so that archives of one image are the same; but what may be
    // missing gets one with its first byte, and leaves no gap.
    if (!isForeign(descriptor) && !this.#slots.has(digest)) this.#allocate(descriptor);
    const slot = (): Slot => this.#slots.get(digest) ?? this.#allocate(descriptor);
    const write = (bytes: Uint8Array, position: number): Promise<void> =>
      this.#output.write(bytes, slot().offset + header.length + position);
    await take(descriptor, () => this.#opened(descriptor, content), write, {
      progress,
      signal: this.#signal,
    });
    await this.#output.write(header, slot().offset);
    for (const file of this.#layout.beside(descriptor)) await this.#append(file);
    slot().written = true;
  }

  /** Without a layer that is needed there is no use in going on. */
  async #opened(descriptor: Descriptor, content: Content): Promise<Blob> {
    try {
      return await content();
    } catch (error) {
      const needed = this.#layout.foreign === 'needed' && isForeign(descriptor);
      if (needed && isUnknown(error)) missing(descriptor.digest);
      throw error;
    }
  }

  async #append({ name, bytes }: SmallFile): Promise<void> {
    const header = tarHeader({ name, size: bytes.length });
    const offset = this.#end;
    this.#end += header.length + bytes.length + padding(bytes.length);
    await this.#output.write(Buffer.concat([header, bytes]), offset);
  }
}
