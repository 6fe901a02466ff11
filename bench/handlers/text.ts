// 1 MiB of text that compresses as logs do, for each line.
const TEXT = Buffer.from(
  Array.from({ length: 45_000 }, (_, i) => `${i} ${Math.sin(i)}\n`).join(''),
).subarray(0, 1 << 20)

export const handleRequest = () => TEXT
