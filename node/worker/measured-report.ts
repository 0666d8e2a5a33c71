/** Adds to a report what the instrument of its run says. Pure. */
import type { Outcome } from '../../protocols/schema/outcome.ts';
import type { Measurement } from '../state/types.ts';
import type { AttemptReport } from './types.ts';

/** A run that was to be measured, and wasn't, has failed at what it was for. */
export function withReading(report: AttemptReport, reading: Outcome<Measurement, string>): AttemptReport {
  if (report.state !== 'succeeded' || report.result === null) return report;
  if (reading.ok) return { ...report, result: { ...report.result, measurement: reading.value } };
  const error = `The program ran, but could not be measured: ${reading.error}.`;
  return { ...report, state: 'failed', error };
}
