// Context identifiers of vsock(7): which machine a socket is of.

/** VMADDR_CID_ANY: each that this machine has. */
const ANY = 0xffff_ffff
const NAMES: Readonly<Record<string, number>> = { any: ANY, hypervisor: 0, local: 1, host: 2 }

/** What vsock_cid may be. */
export const WANTED_CID = `${Object.keys(NAMES).join(', ')} or a number up to ${ANY - 1}`

/**
 * The number of a CID; undefined where the text is none.
 * @example
 * cidOf('host') // 2
 */
export function cidOf(text: string): number | undefined {
  const name = text.toLowerCase()
  if (Object.hasOwn(NAMES, name)) return NAMES[name]
  const number = /^\d{1,10}$/.test(text) ? Number(text) : ANY
  return number < ANY ? number : undefined
}

/** As the native engine writes it. */
export const cidText = (cid: number): string => (cid === ANY ? 'any' : String(cid))
