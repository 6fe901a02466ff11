import t from 'tap'
import { parseFramer } from '../../lib/frame/parse.js'
import type { FramerObject } from '../../lib/handler/contract.js'

const length = { kind: 'length', offset: 0, adjust: 0, inclusive: false, strip: false }
const delimiter = (text: string, strip = false) => ({
  kind: 'delimiter',
  delimiter: Buffer.from(text, 'latin1'),
  strip,
})

t.test('text', (t) => {
  const accepted: [string, object][] = [
    ['line', { ...delimiter('\n'), cr: false }],
    ['line,strip', { ...delimiter('\n', true), cr: true }],
    ['delimiter:\\r\\n', delimiter('\r\n')],
    ['delimiter:\\r\\n,strip', delimiter('\r\n', true)],
    ['delimiter:\\n,strip', delimiter('\n', true)],
    ['delimiter:;', delimiter(';')],
    ['delimiter:a:b=c', delimiter('a:b=c')],
    ['delimiter:\\,', delimiter(',')],
    ['delimiter:\\,\\,,strip', delimiter(',,', true)],
    ['delimiter:\\\\', delimiter('\\')],
    ['delimiter:\\\\,strip', delimiter('\\', true)],
    ['delimiter:\\t\\0\\x00\\xfF', delimiter('\t\0\0\xff')],
    ['delimiter:é', delimiter('\xc3\xa9')],
    ['length:u8', { ...length, type: 'u8' }],
    ['length:u16be,strip', { ...length, type: 'u16be', strip: true }],
    [
      'length:u32le,offset=4,adjust=-8,inclusive',
      { ...length, type: 'u32le', offset: 4, adjust: -8, inclusive: true },
    ],
    ['length:u16le,inclusive,strip', { ...length, type: 'u16le', inclusive: true, strip: true }],
    ['varint', { kind: 'varint', strip: false }],
    ['varint,strip', { kind: 'varint', strip: true }],
    ['fixed:64', { kind: 'fixed', size: 64 }],
    ['eof', { kind: 'eof' }],
    ['http', { kind: 'http' }],
  ]
  for (const [text, spec] of accepted) t.same(parseFramer(text), spec, text)
  t.end()
})

t.test('object', (t) => {
  const accepted: [FramerObject, object][] = [
    [{ framer: 'line' }, { ...delimiter('\n'), cr: false }],
    [
      { framer: 'line', strip: true },
      { ...delimiter('\n', true), cr: true },
    ],
    // A text in an object is what it says: escapes are for texts that come from files and flags.
    [{ framer: 'delimiter', delimiter: '\\n' }, delimiter('\\n')],
    [{ framer: 'delimiter', delimiter: 'é', strip: true }, delimiter('\xc3\xa9', true)],
    [{ framer: 'delimiter', delimiter: new Uint8Array([0, 255]) }, delimiter('\0\xff')],
    [
      { framer: 'length', type: 'u32be' },
      { ...length, type: 'u32be' },
    ],
    [
      { framer: 'length', type: 'u8', offset: 1, adjust: 2, inclusive: true },
      { ...length, type: 'u8', offset: 1, adjust: 2, inclusive: true },
    ],
    [
      { framer: 'varint', strip: false },
      { kind: 'varint', strip: false },
    ],
    [
      { framer: 'fixed', size: 1 },
      { kind: 'fixed', size: 1 },
    ],
    [{ framer: 'eof' }, { kind: 'eof' }],
    [{ framer: 'http' }, { kind: 'http' }],
  ]
  for (const [object, spec] of accepted) t.same(parseFramer(object), spec, JSON.stringify(object))
  t.end()
})

t.test('refusals name the text, the wrong part and what was wanted', (t) => {
  const refused: [unknown, RegExp][] = [
    ['lien', /^framer 'lien': 'lien' is no framer \(did you mean 'line'\?\); wanted one of line/],
    ['', /'' is no framer; wanted/],
    ['LINE', /did you mean 'line'/],
    ['line:x', /line takes nothing behind a colon; wanted line\[,strip\]/],
    ['line,', /nothing stands behind a comma/],
    [
      'line,srtip',
      /'srtip' is no setting of line \(did you mean 'strip'\?\); wanted line\[,strip\]/,
    ],
    ['line,strip,strip', /'strip' is given twice/],
    ['line,strip=yes', /'strip' takes no value/],
    ['line,offset=1', /'offset=1' is no setting of line/],
    ['delimiter', /delimiter is missing; wanted 1 to 255 bytes/],
    ['delimiter:', /delimiter is empty/],
    ['delimiter:,', /one in a delimiter is written \\,/],
    ['delimiter:a\\q', /'\\q' at character 12 is no escape; wanted \\r \\n/],
    ['delimiter:\\x1', /'\\x1' at character 11 is no escape/],
    ['delimiter:\\xzz', /'\\xzz' at character 11 is no escape/],
    ['delimiter:a\\', /'\\' at character 12 is no escape/],
    [`delimiter:${'x'.repeat(256)}`, /delimiter is 256 bytes long; wanted 1 to 255/],
    ['length', /type is missing; wanted one of u8 \| u16be/],
    ['length:u64be', /type is 'u64be'; wanted one of/],
    ['length:u8,offset', /'offset' has no value; wanted offset=N/],
    ['length:u8,offset=-1', /offset is -1; wanted a whole number from 0 to 4294967295/],
    ['length:u8,offset=1.5', /offset is '1.5'; wanted a whole number/],
    ['length:u8,adjust=4294967296', /adjust is 4294967296; wanted a whole number from -4294967295/],
    ['length:u8,adjust=', /adjust is ''; wanted a whole number/],
    ['length:u8,offset=1,strip', /strip with offset=1.*wanted offset=0 or no strip/],
    ['fixed', /size is missing/],
    ['fixed:0', /size is 0; wanted a whole number from 1/],
    ['fixed:ten', /size is 'ten'/],
    ['fixed:4,strip', /'strip' is no setting of fixed; wanted fixed:SIZE/],
    ['eof,strip', /'strip' is no setting of eof; wanted eof/],
    ['varint:5', /varint takes nothing behind a colon/],
    ['http,strip', /'strip' is no setting of http; wanted http$/],
    ['datagram', /^framer 'datagram': 'datagram' is not available in this version$/],
    [{ framer: 'datagram' }, /'datagram' is not available in this version/],
    [{ framer: 'constructor' }, /'constructor' is no framer/],
    [{ framer: 'delimiter', delimiter: '' }, /delimiter is empty/],
    [{ framer: 'delimiter', delimiter: 7 }, /delimiter is 7; wanted 1 to 255 bytes/],
    [{ framer: 'line', strip: 1 }, /strip is 1; wanted true or false/],
    [{ framer: 'fixed', size: '4' }, /size is '4'; wanted a whole number/],
    [{ framer: 'fixed', sise: 4 }, /'sise' is no setting of fixed \(did you mean 'size'\?\)/],
    [{}, /its framer is missing; wanted one of line \|/],
    [null, /it is null; wanted a text or an object/],
    [5, /it is 5; wanted a text or an object/],
  ]
  for (const [declared, message] of refused) {
    const error = { name: 'TypeError', code: 'ERR_GAIDAROS_HANDLER', message }
    t.throws(() => parseFramer(declared as string), error, JSON.stringify(declared))
  }
  t.end()
})
