/* A team of threads that lives for one .Call: no pool is left behind, so nothing hangs
 * after a fork. Members never touch R, and R's signals stay with the main thread. */
#ifndef CWMIX_TEAM_H
#define CWMIX_TEAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#define TEAM_MAX 64

struct team {
  int size; /* members, the calling thread included; at times fewer than asked for */
  pthread_t threads[TEAM_MAX];
  pthread_mutex_t lock;
  pthread_cond_t wake, rest;
  void (*task)(void *context, int member);
  void *context;
  int joined;
  /* Changed under the lock; looked at without it by members that have not gone to
   * sleep. */
  atomic_uint round; /* counts the tasks given out */
  atomic_int working, closing;
};

/* Between opening and closing nothing may jump out: no call into R, but for its built-in
 * random number generators, which cannot fail, on the main thread. */
void team_open(struct team *team, int size);
/* Runs task(context, member) once on every member; returns when all are done. */
void team_do(struct team *team, void (*task)(void *context, int member), void *context);
/* Runs body(context, item, member) once for each item below n, in no fixed order. */
void team_for(struct team *team, ptrdiff_t n,
              void (*body)(void *context, ptrdiff_t item, int member), void *context);
/* The same; the calling thread runs first(context) before it joins the others. */
void team_for_beside(struct team *team, ptrdiff_t n,
                     void (*body)(void *context, ptrdiff_t item, int member),
                     void (*first)(void *context), void *context);
void team_close(struct team *team);

/* Processors this machine has online, at least 1. */
int team_processors(void);

#endif
