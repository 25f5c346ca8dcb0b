import type { Connection } from './connection.ts';
import type { Context } from './context.ts';

/**
 * The password that the flags give: as it is, or what standard input holds without its line end.
 * With a user and no password a person is asked for it.
 */
export async function passwordOf(
  { user, password, passwordStdin }: Connection,
  { input }: Context,
  prompt = 'Password: ',
): Promise<string | undefined> {
  if (passwordStdin === true) return (await input.text()).replace(/\r?\n$/, '');
  if (password !== undefined || user === undefined || input.watched === 'no') return password;
  return await input.line(prompt, 'hidden');
}
