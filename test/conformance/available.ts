// Whether this machine has a variant: the server itself is asked, by starting one.

import type { GaidarosError } from '../../lib/errors.js'
import { Served } from './served.js'
import type { Variant } from './variant.js'

/**
 * undefined when `variant` can be served here, otherwise the probe's reason. Any other failure than
 * ERR_GAIDAROS_ENGINE is one of the server and is thrown.
 */
export async function unavailable(variant: Variant): Promise<string | undefined> {
  try {
    const served = await new Served(
      variant.options,
      variant.sent ? import.meta.filename : undefined,
    ).listen()
    await served.teardown()
    return undefined
  } catch (error) {
    if ((error as GaidarosError).code === 'ERR_GAIDAROS_ENGINE') return (error as Error).message
    throw error
  }
}
