/* Hands out cache-line aligned pieces of one block. With no block it only counts, so the
 * same code says how much is needed and lays it out. */
struct arena {
  char *base;
  size_t used;
};

static struct arena arena_open(void *block) {
  struct arena arena = {block, 0};
  if (block) arena.used = (64 - (size_t)((uintptr_t)block % 64)) % 64;
  return arena;
}

/* Where the first piece of a block stands. */
static const void *arena_first(const void *block) {
  return (const char *)block + (64 - (size_t)((uintptr_t)block % 64)) % 64;
}

static void *arena_take(struct arena *arena, size_t bytes) {
  void *piece = arena->base ? arena->base + arena->used : NULL;
  arena->used += (bytes + 63) / 64 * 64;
  return piece;
}

static real *arena_reals(struct arena *arena, ptrdiff_t n) {
  return arena_take(arena, (size_t)n * sizeof(real));
}

/* The size to ask for: what was counted and the slack of aligning the start. */
static size_t arena_size(const struct arena *arena) { return arena->used + 64; }
