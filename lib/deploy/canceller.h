/*
 * canceller - a handler's own action "cancel", which runs before its installation is
 * ended.
 *
 * The handler is asked to stop; what it answers does not count.  The caller ends the
 * installation when DONE is called, or earlier calls canceller_end() where the
 * installation has ended meanwhile.
 */
#ifndef DEPLOY_CANCELLER_H
#define DEPLOY_CANCELLER_H

#include "base/loop.h"
#include "deploy/handler.h"

struct canceller;

/*
 * Run CALL, whose action is HANDLER_CANCEL and whose deadline bounds the wait.  DONE is
 * called once, from the loop, after which the canceller is gone.  CALL need not outlive this.
 */
struct canceller *canceller_start(struct loop *l, const struct handler_call *call, loop_fn *done, void *cookie);

/* End the action: DONE is not called.  The canceller is gone; K may be NULL. */
void canceller_end(struct canceller *k);

#endif
