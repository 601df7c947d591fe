/* SPDX-License-Identifier: MIT */
/*
 * The life of key slots, word by word (src/keyslot/keyslot_private.h, slot.c, slot_place.c):
 * control loads, brings, revokes and evicts, lanes hold any handle beside, take references and give
 * them back. Two slots share one place; with -DSOFTWARE one slot has its own. A slot's word is read
 * and written at once; memory is sequentially consistent, as these accesses are. Loading and
 * programming may fail. What is not here: recycle, reprogram, flush.
 *
 * What must hold (KS-4 to KS-7, KS-9 to KS-13): who holds a slot finds the key of its handle, to
 * the end; who has a reference finds it until a CUT, and gives back a reference of its own load;
 * after a CUT a lane begins one unit at most; a generation is given out once; what is WIPED is.
 *
 * Faults to be found: -DLOAD_OVER_REFS, -DNO_RETIRE, -DLOOK_FIRST, -DDRAIN_OVER_REFS, -DWORD_FIRST,
 * -DNO_ASK, -DCOUNT_AFTER, -DNO_SECOND_LOOK, -DRESIDENT_FIRST.
 */
#define GENERATIONS 2 /* then the slot is retired */
#ifndef LANES
#define LANES 2
#endif
#ifdef SOFTWARE
#define SLOTS 1
#else
#define SLOTS 2
#endif

#define FREE     0
#define LOADING  1
#define ACTIVE   2
#define DRAINING 3
#define WIPED    4
#define RETIRED  5

#define LOAD(slot, generation) ((generation) * SLOTS + (slot)) /* never 0: generations are from 1 */

/* a slot's word: always within one step */
byte state[SLOTS], generation[SLOTS];
bool resident[SLOTS], was_cut[SLOTS];

byte refs[SLOTS];
byte marker[LANES]; /* a LOAD; 0: nothing */
byte room;          /* whose key lies in it: a LOAD; 0: wiped */
byte owner;         /* of the place: slot + 1 */

/* what is known outside, of each LOAD */
bool given[6], hard[6];

/* Whether a lane has the slot's present load in its marker, lane by lane. */
inline look(n, busy)
{
    busy = false;
    i = 0;
    do
    :: i < LANES -> busy = busy || marker[i] == LOAD(n, generation[n]); i++
    :: else -> break
    od;
    i = 0
}

#ifdef LOAD_OVER_REFS
#define HAS_NO_REFS true
#else
#define HAS_NO_REFS (refs[n] == 0)
#endif

inline wipe()
{
    room = 0;
    owner = 0
}

proctype control()
{
    byte n, i, other, g;
    bool busy, cut;

    do
    :: atomic {
           select(n : 0 .. SLOTS - 1);
           busy = false
       }
       if
       :: (state[n] == FREE || state[n] == WIPED) && HAS_NO_REFS -> /* load */
          g = state[n];
          state[n] = LOADING;
          if
          :: state[n] = g /* failed */
          :: skip;
#ifdef NO_RETIRE
             g = generation[n] % GENERATIONS + 1;
#else
             g = generation[n] + 1;
#endif
#ifdef SOFTWARE
             room = LOAD(n, g);
             owner = n + 1;
#endif
             atomic {
                 assert(!given[LOAD(n, g)]);
                 given[LOAD(n, g)] = true;
                 generation[n] = g;
#ifdef SOFTWARE
                 resident[n] = true;
#endif
                 state[n] = ACTIVE
             }
          fi;
          g = 0
#ifndef SOFTWARE
       :: state[n] == ACTIVE && !resident[n] -> /* bring */
          if
          :: owner != 0 -> /* the other one gives its place up, or not */
             other = owner - 1;
             if
             :: state[other] != ACTIVE -> busy = true
             :: else ->
                look(other, busy);
                busy = busy || refs[other] != 0
             fi;
             if
             :: !busy ->
                resident[other] = false;
#ifndef NO_SECOND_LOOK
                look(other, busy);
                busy = busy || refs[other] != 0;
#endif
                if
                :: busy -> resident[other] = true
                :: else -> wipe()
                fi
             :: else -> skip
             fi;
             other = 0
          :: else -> skip
          fi;
          if
          :: !busy && owner == 0 ->
             if
             :: skip /* failed */
             :: owner = n + 1;
#ifdef RESIDENT_FIRST
                resident[n] = true;
#endif
                room = LOAD(n, generation[n]);
                resident[n] = true
             fi
          :: else -> skip
          fi
#endif
       :: state[n] == ACTIVE || state[n] == DRAINING -> /* revoke */
          select(g : 0 .. 1);
          cut = was_cut[n] || g == 1;
          g = 0;
#ifdef LOOK_FIRST
          look(n, busy);
#endif
          atomic {
              state[n] = DRAINING;
              was_cut[n] = cut;
              hard[LOAD(n, generation[n])] = cut
          }
#ifndef LOOK_FIRST
          look(n, busy);
#endif
#ifndef DRAIN_OVER_REFS
          busy = busy || (!cut && refs[n] != 0);
#endif
          if
          :: !busy ->
             if
             :: resident[n] -> wipe()
             :: else -> skip
             fi;
             atomic {
                 assert(room != LOAD(n, generation[n]));
                 resident[n] = false;
                 was_cut[n] = false;
#ifndef NO_RETIRE
                 if
                 :: generation[n] == GENERATIONS -> state[n] = RETIRED
                 :: else -> state[n] = WIPED
                 fi
#else
                 state[n] = WIPED
#endif
             }
          :: else -> skip
          fi;
          cut = false
       :: else -> skip
       fi;
       busy = false
    :: break
    od
}

#define IS_MINE (generation[slot] == g)
#define IS_LIVE                                         \
    (IS_MINE && resident[slot] &&                       \
     (state[slot] == ACTIVE || (reference && state[slot] == DRAINING && !was_cut[slot])))
#define MY_KEY (room == LOAD(slot, g))

proctype lane(byte me)
{
    byte slot, g; /* the handle */
    bool reference, good;
    byte late; /* units begun after a CUT */

    do
    :: atomic { /* any handle, also one that is not given out yet; or that of the reference */
           if
           :: !reference ->
              select(slot : 0 .. SLOTS - 1);
              select(g : 1 .. GENERATIONS)
           :: else -> skip
           fi
       }
#ifdef WORD_FIRST
       good = IS_LIVE;
       marker[me] = LOAD(slot, g);
#else
       marker[me] = LOAD(slot, g);
       good = IS_LIVE;
#endif
       do
       :: good ->
#ifndef NO_ASK
          if
          :: was_cut[slot] -> break
          :: else -> skip
          fi;
#endif
          atomic { /* a unit begins */
              assert(MY_KEY);
              late = late + hard[LOAD(slot, g)];
              assert(late <= 1)
          }
          assert(MY_KEY) /* and ends */
#ifndef COUNT_AFTER
       :: good && !reference -> atomic { refs[slot]++; reference = true }
#endif
       :: break
       od;
       atomic { good = false; late = 0 }
       marker[me] = 0;
#ifdef COUNT_AFTER
       if
       :: IS_MINE && state[slot] == ACTIVE && !reference -> refs[slot]++; reference = true
       :: skip
       fi
#endif
       atomic {
           if
           :: !reference -> slot = 0; g = 0
           :: else -> skip
           fi
       }
    :: reference -> assert(MY_KEY || hard[LOAD(slot, g)]) /* the transfer itself, without a lane */
    :: reference ->
       atomic {
           assert(IS_MINE && refs[slot] != 0);
           refs[slot]--;
           reference = false;
           slot = 0;
           g = 0
       }
    :: break
    od
}

init
{
    atomic {
        run control();
        run lane(0);
#if LANES > 1
        run lane(1)
#endif
    }
}
