/**
 * A raw byte stream between members that speaks HTTP: REST requests that another node must answer. What
 * HTTP says isn't looked into; a stream closes one way at a time, as TCP does.
 */
export const HTTP_PROTOCOL = '/fsched/http/1.0.0';
