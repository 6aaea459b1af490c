/* POSIX signals and sysconf() under a strict -std, too. */
#define _DEFAULT_SOURCE
#include "team.h"

#include <sched.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <signal.h>
#include <unistd.h>
#endif

/* Looks before it sleeps: between the short tasks of one .Call, waking takes longer than
 * the wait. Some 50 us, and other threads may have the processor in the meantime. */
#define LOOKS 100

static void member_spin(struct team *team, unsigned seen) {
  for (int i = 0; i < LOOKS; i++) {
    if (atomic_load(&team->round) != seen || atomic_load(&team->closing)) return;
    sched_yield();
  }
}

static void *member_main(void *argument) {
  struct team *team = argument;
  unsigned seen = 0;
  pthread_mutex_lock(&team->lock);
  const int member = ++team->joined;
  for (;;) {
    while (atomic_load(&team->round) == seen && !atomic_load(&team->closing))
      pthread_cond_wait(&team->wake, &team->lock);
    if (atomic_load(&team->closing)) break;
    seen = atomic_load(&team->round);
    pthread_mutex_unlock(&team->lock);
    team->task(team->context, member);
    pthread_mutex_lock(&team->lock);
    if (atomic_fetch_sub(&team->working, 1) == 1) pthread_cond_signal(&team->rest);
    pthread_mutex_unlock(&team->lock);
    member_spin(team, seen);
    pthread_mutex_lock(&team->lock);
  }
  pthread_mutex_unlock(&team->lock);
  return NULL;
}

void team_open(struct team *team, int size) {
  pthread_mutex_init(&team->lock, NULL);
  pthread_cond_init(&team->wake, NULL);
  pthread_cond_init(&team->rest, NULL);
  atomic_init(&team->round, 0);
  atomic_init(&team->working, 0);
  atomic_init(&team->closing, 0);
  team->joined = 0;
  team->size = 1;
#ifndef _WIN32
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
  while (team->size < size && team->size < TEAM_MAX &&
         pthread_create(&team->threads[team->size], NULL, member_main, team) == 0)
    team->size++;
#ifndef _WIN32
  pthread_sigmask(SIG_SETMASK, &before, NULL);
#endif
}

void team_do(struct team *team, void (*task)(void *context, int member), void *context) {
  pthread_mutex_lock(&team->lock);
  team->task = task;
  team->context = context;
  atomic_store(&team->working, team->size - 1);
  atomic_fetch_add(&team->round, 1);
  pthread_cond_broadcast(&team->wake);
  pthread_mutex_unlock(&team->lock);

  task(context, 0);

  for (int i = 0; i < LOOKS && atomic_load(&team->working) > 0; i++) sched_yield();
  pthread_mutex_lock(&team->lock);
  while (atomic_load(&team->working) > 0) pthread_cond_wait(&team->rest, &team->lock);
  pthread_mutex_unlock(&team->lock);
}

struct loop {
  atomic_llong next;
  ptrdiff_t n;
  void (*body)(void *context, ptrdiff_t item, int member);
  void (*first)(void *context);
  void *context;
};

static void loop_task(void *argument, int member) {
  struct loop *loop = argument;
  if (member == 0 && loop->first) loop->first(loop->context);
  for (;;) {
    const ptrdiff_t item = (ptrdiff_t)atomic_fetch_add(&loop->next, 1);
    if (item >= loop->n) return;
    loop->body(loop->context, item, member);
  }
}

void team_for(struct team *team, ptrdiff_t n,
              void (*body)(void *context, ptrdiff_t item, int member), void *context) {
  team_for_beside(team, n, body, NULL, context);
}

void team_for_beside(struct team *team, ptrdiff_t n,
                     void (*body)(void *context, ptrdiff_t item, int member),
                     void (*first)(void *context), void *context) {
  struct loop loop;
  atomic_init(&loop.next, 0);
  loop.n = n;
  loop.body = body;
  loop.first = first;
  loop.context = context;
  if (team->size == 1 || (n == 1 && !first))
    loop_task(&loop, 0);
  else
    team_do(team, loop_task, &loop);
}

void team_close(struct team *team) {
  pthread_mutex_lock(&team->lock);
  atomic_store(&team->closing, 1);
  pthread_cond_broadcast(&team->wake);
  pthread_mutex_unlock(&team->lock);
  for (int i = 1; i < team->size; i++) pthread_join(team->threads[i], NULL);
  pthread_cond_destroy(&team->rest);
  pthread_cond_destroy(&team->wake);
  pthread_mutex_destroy(&team->lock);
}

int team_processors(void) {
#ifdef _WIN32
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  const long n = (long)info.dwNumberOfProcessors;
#else
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
#endif
  return n < 1 ? 1 : n > TEAM_MAX ? TEAM_MAX : (int)n;
}
