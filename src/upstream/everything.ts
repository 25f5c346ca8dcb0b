// All that an upstream loads when it is first asked for it. A server imports this, so that nothing is
// left to be read from the disk while it serves: its files may be replaced, or out of reach, by then.
import './auth.ts';
import './catalog.ts';
import './reading.ts';
import './refusal.ts';
import './trace.ts';
import './write-refusal.ts';
import './writing.ts';
