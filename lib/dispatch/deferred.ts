// A promise with its settling functions, where an event settles it (Node 20 lacks Promise.withResolvers).

export interface Deferred {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export function deferred(): Deferred {
  const parts: { resolve?: () => void; reject?: (error: unknown) => void } = {}
  const promise = new Promise<void>((resolve, reject) => {
    Object.assign(parts, { resolve, reject })
  })
  return { promise, ...(parts as Required<typeof parts>) }
}
