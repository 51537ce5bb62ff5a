/** What running a kernel leaves in `frame[0]`: `enum class Status` of native/call.h. */
export const Status = {
  ok: 0,
  unknown_kernel: 1,
  bad_frame: 2,
  dead_block: 3,
  out_of_bounds: 4,
  unsupported_dtype: 5,
  index_out_of_range: 6,
  division_by_zero: 7,
  out_of_memory: 8,
  overlap: 9,
} as const;

/** One of the codes of {@link Status}. */
export type StatusCode = (typeof Status)[keyof typeof Status];
