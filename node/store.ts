/**
 * The truth on disk: every op this replica holds, in the frames they arrived in, and what follows from them.
 *
 *   key                       value
 *   m                         meta: format, network, epoch (16 random bytes, new when the arrival log starts anew)
 *   n                         counts: seq, ops, records by kind; rewritten in every batch
 *   c                         clean-shutdown marker: ops, root, seq; removed at open, written at close
 *   f <seq 6>                 a frame: its first op has arrival number seq; origin, then the frame's bytes (zstd when larger)
 *   o <op id 32>              where it is: first seq of its frame, its place in it
 *   r <record id 32>          the merged record (crdt encodeMerged)
 *   g <peer> / y <...>        small rows of other parts (sync cursors, known peers)
 *
 * Everything but f can be rebuilt from f. One atomic batch per group of frames carries all their rows, so a kill
 * leaves all of a group or nothing of it.
 */
