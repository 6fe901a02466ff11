// Networks in CIDR notation (RFC 4632; RFC 4291, section 2.3), or single addresses.

import { BlockList, isIP } from 'node:net'

/** Address and prefix length of `10.0.0.0/8`; undefined when it is no network. */
function parse(
  text: string,
): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [, address = '', prefix] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const version = isIP(address)
  const most = version === 4 ? 32 : 128
  const bits = prefix === undefined ? most : Number(prefix)
  if (version === 0 || bits > most) return undefined
  return { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' }
}

/** True for `10.0.0.0/8`, `fd00::/8`, `127.0.0.1`. */
export const isNetwork = (text: string): boolean => parse(text) !== undefined

/** Tells whether an address is in one of the networks. @throws RangeError when one is none */
export function networks(texts: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const text of texts) {
    const network = parse(text)
    if (network === undefined) throw new RangeError(`${text}: wanted a network`)
    list.addSubnet(network.address, network.bits, network.family)
  }
  return (address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
