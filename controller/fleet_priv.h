/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the fleet. */
#ifndef SP_CONTROLLER_FLEET_PRIV_H
#define SP_CONTROLLER_FLEET_PRIV_H

#include "controller/fleet.h"

/* ---- fleet.c: records ---- */
extern const struct sp_stream_ops sp_fleet_stream_ops;
void sp_fleet_tell_state(struct sp_session *session);

/* ---- fleet_start.c ---- */
/* The way to its host works: from now on it has the time that carrying the probe takes. */
void sp_fleet_is_up(struct sp_session *session);

/* ---- fleet_end.c ---- */
/* Keeps what comes from err_fd. */
void sp_fleet_listen(struct sp_session *session);
/* Its stream ended by itself: LOST at once, the reason follows. */
void sp_fleet_begin_end(struct sp_session *session, const char *reason);
/* Finishes the ends that are known by now; true while one is not. */
bool sp_fleet_tend_ends(struct sp_fleet *fleet);

#endif
