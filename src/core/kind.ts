/** What a request is about: the one label that splits traffic, bounded by design. */
export type Kind = 'manifest' | 'blob' | 'tags' | 'referrers';
