/**
 * The log of a node: one JSON object a line on stderr, {"level", "time", ...facts, "message"}, and nothing beside it:
 * what Node itself has to say (warnings, an error that nobody caught) is a line of the log too.
 *
 * Lines are written before the call returns, so that the last ones before a crash are there. Facts are named values, as
 * in metrics and answers (`request_id`, `peer_id`, ...); no secret is ever one.
 */
import pino from 'pino'

export type Logger = pino.Logger

export function openLog(level: string): Logger {
  return pino(
    {
      level,
      base: undefined,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  )
}

/** From here on the log is where this process says what goes wrong. Answers what takes it back. */
export function logProcess(log: Logger): () => void {
  const usual = process.listeners('warning')
  const warned = ({ name, message }: Error) => log.warn({ warning: name }, message)
  const failed = (error: unknown) => {
    log.fatal({ error: error instanceof Error ? error.stack : String(error) }, 'the node failed and stops')
    process.exit(1)
  }
  for (const listener of usual) process.off('warning', listener)
  process.on('warning', warned)
  process.on('uncaughtException', failed)
  return () => {
    process.off('warning', warned)
    process.off('uncaughtException', failed)
    for (const listener of usual) process.on('warning', listener)
  }
}
