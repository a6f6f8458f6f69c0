import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type CallOptions,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceError,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js'

/** Messages are JSON: what gRPC does on the wire needs no schema compiler. */
export interface Message {
  readonly text: string
  readonly count?: number
}

const encode = (message: Message): Buffer => Buffer.from(JSON.stringify(message))
const decode = (bytes: Buffer): Message => JSON.parse(bytes.toString()) as Message

function method(name: string, requestStream: boolean, responseStream: boolean) {
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: encode,
    requestDeserialize: decode,
    responseSerialize: encode,
    responseDeserialize: decode,
  }
}

export interface GrpcInstance {
  readonly port: number
  /** Calls that were cancelled by the caller's side. */
  cancelled: number
  /** Calls that came to it and get no answer. */
  unanswered: number
  close(): Promise<void>
}

/**
 * A grpc-js server: `Say` answers `version:text`, or fails for `fail`, or never answers for `never`; `Collect` joins;
 * `Repeat` sends `count` messages; `Chat` echoes.
 */
export async function startGrpc(version: string, port = 0): Promise<GrpcInstance> {
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 })
  const instance = { port: 0, cancelled: 0, unanswered: 0, close: async () => Promise.resolve() }
  const counting = (call: { on(event: 'cancelled', listener: () => void): unknown }): void => {
    call.on('cancelled', () => instance.cancelled++)
  }
  server.addService(
    {
      say: method('Say', false, false),
      collect: method('Collect', true, false),
      repeat: method('Repeat', false, true),
      chat: method('Chat', true, true),
    },
    {
      say(call: ServerUnaryCall<Message, Message>, done: sendUnaryData<Message>) {
        counting(call)
        const { text } = call.request
        if (text === 'never') {
          instance.unanswered++
          return
        }
        const trailer = new Metadata()
        trailer.set('x-trailer', 'yes')
        if (text === 'fail') done({ code: status.FAILED_PRECONDITION, details: 'as asked', metadata: trailer })
        else done(null, { text: `${version}:${text}` }, trailer)
      },
      collect(call: ServerReadableStream<Message, Message>, done: sendUnaryData<Message>) {
        const texts: string[] = []
        call.on('data', (message: Message) => texts.push(message.text))
        call.on('end', () => done(null, { text: texts.join(''), count: texts.length }))
      },
      repeat(call: ServerWritableStream<Message, Message>) {
        const { text, count = 0 } = call.request
        let sent = 0
        const more = (): void => {
          while (sent < count) if (!call.write({ text, count: sent++ })) return void call.once('drain', more)
          call.end()
        }
        more()
      },
      chat(call: ServerDuplexStream<Message, Message>) {
        counting(call)
        call.on('data', (message: Message) => call.write({ text: `${version}:${message.text}` }))
        call.on('end', () => call.end())
        call.on('error', () => {})
      },
    },
  )
  instance.port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  instance.close = async () => {
    server.forceShutdown()
    return Promise.resolve()
  }
  return instance
}

export interface Said {
  readonly text: string
  readonly code: number
  readonly details: string
  readonly trailer: string
}

export interface GrpcClient {
  say(text: string, options?: CallOptions): Promise<Said>
  collect(texts: readonly string[]): Promise<Message>
  repeat(text: string, count: number): ClientReadableStream<Message>
  chat(): ClientDuplexStream<Message, Message>
  close(): void
}

/** A grpc-js client without retries; `ca`: by TLS, trusting this authority. */
export function grpcClient(address: string, ca?: string): GrpcClient {
  const client = new Client(
    address,
    ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca)),
    {
      'grpc.enable_retries': 0,
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.use_local_subchannel_pool': 1,
    },
  )
  return {
    say: async (text, options = {}) =>
      new Promise(resolve => {
        let answered = ''
        const call = client.makeUnaryRequest<Message, Message>(
          '/test.Echo/Say',
          encode,
          decode,
          { text },
          options,
          (error: ServiceError | null, value?: Message) => {
            answered = error === null ? (value?.text ?? '') : ''
          },
        )
        call.on('status', ({ code, details, metadata }) =>
          // The callback comes before or after the status, in this same turn.
          setImmediate(() =>
            resolve({ text: answered, code, details, trailer: String(metadata.get('x-trailer')[0] ?? '') }),
          ),
        )
      }),
    collect: async texts =>
      new Promise((resolve, reject) => {
        const call = client.makeClientStreamRequest<Message, Message>(
          '/test.Echo/Collect',
          encode,
          decode,
          (error: ServiceError | null, value?: Message) => {
            if (error === null && value !== undefined) resolve(value)
            else reject(error ?? new Error('no value'))
          },
        )
        for (const text of texts) call.write({ text })
        call.end()
      }),
    repeat: (text, count) =>
      client.makeServerStreamRequest<Message, Message>('/test.Echo/Repeat', encode, decode, { text, count }),
    chat: () => client.makeBidiStreamRequest<Message, Message>('/test.Echo/Chat', encode, decode),
    close: () => client.close(),
  }
}
