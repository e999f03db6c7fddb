import type { Algorithm, Capability, Workflow } from '../../crdt/index.ts'

/** By slug; those without a publisher belong to everyone. */
export const algorithms: Readonly<Record<string, Algorithm>> = {
  ReAct: {
    description: 'A model takes turns between a thought and a call to a tool, and reads the result before the next.',
    algorithm_type: 'planning',
    tags: ['agents', 'tools'],
    references: [{ name: 'arXiv 2210.03629', url: 'https://arxiv.org/abs/2210.03629' }],
  },
  'Tree of Thoughts': {
    description: 'Thinks in a tree: several next steps are tried and judged, the poor ones are given up.',
    algorithm_type: 'planning',
    tags: ['reasoning', 'search'],
    references: [{ name: 'arXiv 2305.10601', url: 'https://arxiv.org/abs/2305.10601' }],
  },
  'Retrieval-Augmented Generation': {
    description: 'Looks up passages that fit the question and has a model answer from them.',
    algorithm_type: 'retrieval',
    tags: ['rag', 'search'],
    references: [{ name: 'arXiv 2005.11401', url: 'https://arxiv.org/abs/2005.11401' }],
  },
  'Okapi BM25': {
    description: 'Ranks texts by the words they share with a question, rare words more than common ones.',
    algorithm_type: 'retrieval',
    tags: ['search', 'ranking'],
  },
  HNSW: {
    description: 'Finds near vectors quickly by walking a graph of several layers.',
    algorithm_type: 'retrieval',
    tags: ['vector-search'],
    references: [{ name: 'arXiv 1603.09320', url: 'https://arxiv.org/abs/1603.09320' }],
  },
  LoRA: {
    description: 'Teaches a large model something new by training two thin matrices beside its weights.',
    algorithm_type: 'fine-tuning',
    tags: ['training'],
    references: [{ name: 'arXiv 2106.09685', url: 'https://arxiv.org/abs/2106.09685' }],
  },
  FlashAttention: {
    description: 'Computes exact attention in tiles that stay in fast memory.',
    algorithm_type: 'inference',
    tags: ['gpu', 'attention'],
    references: [{ name: 'arXiv 2205.14135', url: 'https://arxiv.org/abs/2205.14135' }],
  },
  'Speculative Decoding': {
    description: 'A small model guesses ahead, the large one checks several tokens at once.',
    algorithm_type: 'inference',
    tags: ['decoding'],
    references: [{ name: 'arXiv 2211.17192', url: 'https://arxiv.org/abs/2211.17192' }],
  },
  Ed25519: {
    description: 'Signatures over a twisted Edwards curve: short keys, quick to check.',
    algorithm_type: 'signature',
    tags: ['cryptography', 'signature'],
    references: [{ name: 'RFC 8032', url: 'https://www.rfc-editor.org/rfc/rfc8032' }],
  },
}

export const capabilities: Readonly<Record<string, Capability>> = {
  tool_call: { display_name: 'Tool calling', description: 'Asks for a named function with arguments that fit.' },
  structured_output: { display_name: 'Structured output', description: 'Answers in JSON of a given schema.' },
  reasoning: { display_name: 'Reasoning', description: 'Works through a problem in steps before answering.' },
  vision: { display_name: 'Vision', description: 'Understands pictures.' },
  summarization: { display_name: 'Summarization', description: 'Says the same in fewer words.' },
  translation: { display_name: 'Translation', description: 'Says the same in another language.' },
  code_generation: { display_name: 'Code generation', description: 'Writes programs from a description.' },
  speech_recognition: { display_name: 'Speech recognition', description: 'Writes down what is said.' },
  embedding: { display_name: 'Embedding', description: 'Turns a text or picture into a vector of its meaning.' },
}

const peerage = { provider: 'peerage' } as const

export const workflows: Readonly<Record<string, Workflow>> = {
  'answer-from-documents': {
    ...peerage,
    display_name: 'Answer from documents',
    description: 'Finds passages for a question, answers from them alone and names where each sentence comes from.',
    nodes: [
      { name: 'embed question', type: 'embedding' },
      { name: 'find passages', type: 'vector-search' },
      { name: 'answer', type: 'llm' },
      { name: 'check sources', type: 'llm' },
    ],
    edges: [
      ['embed question', 'find passages'],
      ['find passages', 'answer'],
      ['answer', 'check sources'],
    ],
    steps: 4,
    tags: ['rag', 'documents'],
  },
  'meeting-notes': {
    ...peerage,
    display_name: 'Meeting notes',
    description: 'Writes down a recording, tells the speakers apart and sends everyone the decisions and open tasks.',
    nodes: [
      { name: 'transcribe', type: 'speech-recognition' },
      { name: 'tell speakers apart', type: 'speaker-diarization' },
      { name: 'summarise', type: 'llm' },
      { name: 'send', type: 'email' },
    ],
    edges: [
      ['transcribe', 'summarise'],
      ['tell speakers apart', 'summarise'],
      ['summarise', 'send'],
    ],
    steps: 4,
    tags: ['meetings', 'speech'],
  },
  'sort-incoming-mail': {
    ...peerage,
    display_name: 'Sort incoming mail',
    description: 'Reads a new message, chooses a folder and drafts a reply where one is expected.',
    nodes: [
      { name: 'new message', type: 'email-trigger' },
      { name: 'classify', type: 'llm' },
      { name: 'draft reply', type: 'llm' },
    ],
    edges: [
      ['new message', 'classify'],
      ['classify', 'draft reply'],
    ],
    steps: 3,
    tags: ['email'],
  },
  'review-a-change': {
    ...peerage,
    display_name: 'Review a change',
    description: 'Runs the tests of a pull request, reads the difference and comments only on what would break.',
    nodes: [
      { name: 'pull request', type: 'webhook' },
      { name: 'run tests', type: 'command' },
      { name: 'read difference', type: 'llm' },
      { name: 'comment', type: 'git' },
    ],
    edges: [
      ['pull request', 'run tests'],
      ['run tests', 'read difference'],
      ['read difference', 'comment'],
    ],
    steps: 4,
    tags: ['coding', 'review'],
  },
}
