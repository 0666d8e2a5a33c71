/** Run by `last-resort.test.ts`: a daemon in which something goes wrong that nobody thought of. */
import pino from 'pino';
import { endOnMistakes } from '../../../cli/last-resort.ts';
import { makeLogStream } from '../../../cli/log-stream.ts';

endOnMistakes(pino({}, makeLogStream()));
setInterval(() => undefined, 1000);
const mistake = new Error('nobody thought of this');
if (process.argv[2] === 'rejection') void Promise.reject(mistake);
else
  setImmediate(() => {
    throw mistake;
  });
