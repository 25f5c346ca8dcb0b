import { RegistryError } from '../../../core/errors.ts';
import type { Connection } from '../../connection.ts';
import type { Values } from './arguments.ts';

/** What Go reads as yes. */
const YES: ReadonlySet<string> = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);

/** The way to the registry. @throws RegistryError REQUEST_INVALID */
export function connectionOf(values: Values): Connection {
  const { user, password } = credentialsIn(values);
  const insecure = YES.has(values.get('insecure') ?? '');
  return {
    ns: values.get('namespace'),
    cert: values.get('cert'),
    key: values.get('key'),
    cacert: values.get('cacert'),
    user,
    password,
    ...schemeIn(values),
    ...(insecure && { insecure: true }),
  };
}

function schemeIn(values: Values): Pick<Connection, 'plainHttp'> {
  const scheme = values.get('scheme');
  switch (scheme) {
    case undefined:
      return {};
    case 'http':
      return { plainHttp: true };
    case 'https':
      return { plainHttp: false };
    default:
      throw new RegistryError('REQUEST_INVALID', `scheme "${scheme}" is neither http nor https`);
  }
}

/** A token is what stands behind `Basic`: a name and a password, in base64. */
function credentialsIn(values: Values): Pick<Connection, 'user' | 'password'> {
  const token = values.get('token');
  if (token === undefined) return { user: values.get('user'), password: values.get('password') };
  const text = Buffer.from(token, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) {
    throw new RegistryError('REQUEST_INVALID', '--token is not user:password in base64');
  }
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
