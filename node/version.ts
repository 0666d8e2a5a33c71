import manifest from '../package.json' with { type: 'json' };

/** Of this program; gossiped with each node's capacity. */
export const VERSION: string = manifest.version;
