import { Type } from 'typebox'
import { reading, type Call } from './call.ts'

export const OPENAPI = reading({
  id: 'getDocument',
  tag: 'system',
  summary: 'This document.',
  schema: Type.Object({ openapi: Type.String() }, { additionalProperties: true }),
  example: { openapi: '3.1.1' },
})

const Page = { description: 'A page without scripts.', schema: Type.String(), type: 'text/html; charset=utf-8' }

export const API_PAGE: Call = {
  id: 'getApiPage',
  tag: 'system',
  summary: 'This document for people.',
  answers: { 200: Page },
  problems: [],
  example: '<!doctype html>',
}

export const ERRORS_PAGE: Call = {
  id: 'getErrorsPage',
  tag: 'system',
  summary: 'What every code means and what to do; `type` of a problem leads here.',
  answers: { 200: Page },
  problems: [],
  example: '<!doctype html>',
}
