// Echoes, but `big` is answered with 1 MiB.

const big = Buffer.alloc(1 << 20, 'x')

export const handleRequest = (line: Buffer) => (line.length === 4 && line[0] === 0x62 ? big : line)
