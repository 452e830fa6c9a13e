// A second connection and a channel → its messages, for as long as the connection can be kept up. Polling goes on beside it.
import type { IoredisSubscriber, NodeRedisSubscriber } from './shapes.ts'

const PAUSE = 1000

/** Errors only mean that the connection is down: it reconnects by itself, and polling continues meanwhile. */
const ignore = (): void => {}

export function listenByIoredis (subscriber: IoredisSubscriber, channel: string, onMessage: (message: string) => void): () => void {
  subscriber.on('error', ignore)
  subscriber.on('ready', () => { subscriber.subscribe(channel).catch(ignore) })
  subscriber.on('message', (_channel, message) => onMessage(message!))
  if (subscriber.status === 'wait') subscriber.connect().catch(ignore)
  return () => subscriber.disconnect()
}

/** node-redis subscribes again by itself once it is connected, but some of its clients give up when the first connection fails. */
export function listenByNodeRedis (
  duplicate: () => Promise<NodeRedisSubscriber>, channel: string, onMessage: (message: string) => void
): () => void {
  let ended = false
  let subscriber: NodeRedisSubscriber | undefined
  let timer: NodeJS.Timeout | undefined

  /** A client that is not open throws when it is destroyed. */
  function drop (): void {
    Promise.resolve(subscriber).then(client => client?.destroy()).catch(ignore)
  }

  async function open (): Promise<void> {
    try {
      subscriber = await duplicate()
      subscriber.on('error', ignore)
      await subscriber.connect()
      await subscriber.subscribe(channel, onMessage)
    } catch {
      drop()
      if (!ended) timer = setTimeout(open, PAUSE).unref()
    }
    if (ended) drop()
  }

  open()
  return () => {
    ended = true
    clearTimeout(timer)
    drop()
  }
}
