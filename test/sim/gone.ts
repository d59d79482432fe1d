/** Where the leader of a test is said to be that nobody reaches any more. */
export const GONE = "http://127.0.0.1:1";
