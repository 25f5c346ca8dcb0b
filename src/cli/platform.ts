import { Option } from '@commander-js/extra-typings';
import { parsePlatform } from '../core/platform.ts';
import { asUsage } from './usage-error.ts';

/** `--platform`, for verbs that an index may be given to. */
export const platform = (description: string) =>
  new Option('--platform <os/arch>', description).argParser(asUsage(parsePlatform));
