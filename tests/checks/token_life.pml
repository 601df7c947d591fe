/* SPDX-License-Identifier: MIT */
/*
 * The life of one entry of the pool, word by word (src/token/pool_private.h, pool_enrol.c,
 * pool_check.c): one who changes it under the lock, a vCPU that checks any token beside (checks
 * write nothing that others read, so one is as good as many), and an address space whose page
 * moves. Memory is sequentially consistent here.
 *
 * What must hold (TK-1, TK-5, TK-8, TK-10): who is let in had a token that was not dead when the
 * check began and was alive when it ended; who had one all the time is let in; a mapping that is
 * taken as known was right under that stage-2 generation; no generation is given out twice.
 *
 * Faults to be found: -DNO_REREAD, -DTAG_BEFORE_DEATH, -DNO_VERSION, -DNO_RETIRE.
 */
#define GENERATIONS 2 /* then the entry is retired */
#ifndef TAGS
#define TAGS 2 /* draws; tag n is the words n and n */
#endif
#define STAGES      2 /* changes of the mapping */

#define BEFORE 0
#define ALIVE  1
#define DEAD   2

/* the entry */
bool live_alive;
byte live_generation, live_version;
byte tag0, tag1;

/* what is known outside: of each token (generation, tag), and of each stage-2 generation */
byte state[15];
bool right_frame[5];
byte stage2 = 1;
byte given; /* generations given out so far */

#define TOKEN(generation, tag) state[(generation) * 5 + (tag)]

proctype changer()
{
    byte tag = 0, drawn;

    do
    :: !live_alive && tag < TAGS &&
#ifdef NO_RETIRE
       given < GENERATIONS + 1 ->
#else
       live_generation < GENERATIONS ->
#endif
       /* enrol */
       tag++;
#ifndef NO_VERSION
       live_version++;
#endif
       tag0 = tag;
       tag1 = tag;
       atomic {
#ifdef NO_RETIRE
           live_generation = live_generation % GENERATIONS + 1;
#else
           live_generation++;
#endif
           given++;
           assert(given == live_generation);
           live_alive = true;
           TOKEN(live_generation, tag) = ALIVE
       }
    :: live_alive && tag < TAGS ->
       /* rotate */
       drawn = tag;
       tag++;
#ifdef TAG_BEFORE_DEATH
       tag0 = tag;
#endif
       atomic {
           TOKEN(live_generation, drawn) = DEAD;
#ifndef NO_VERSION
           live_version++;
#endif
           live_alive = false
       }
       tag0 = tag;
       tag1 = tag;
       atomic {
           live_alive = true;
           TOKEN(live_generation, tag) = ALIVE
       }
    :: live_alive ->
       /* revoke */
       atomic {
           TOKEN(live_generation, tag) = DEAD;
#ifndef NO_VERSION
           live_version++;
#endif
           live_alive = false
       }
       tag0 = 0;
       tag1 = 0
    :: break
    od
}

/* The embedder changes the generation before a vCPU runs with the mapping. */
proctype mapper()
{
    do
    :: stage2 <= STAGES -> atomic { stage2++; right_frame[stage2] = true }
    :: stage2 <= STAGES -> atomic { stage2++; right_frame[stage2] = false }
    :: break
    od
}

proctype vcpu()
{
    byte generation, word0, word1, began, before_version, before_generation, my_stage2;
    byte memo_version = 255, memo_stage2;
    bool before_alive, right, known;
    byte turns;

    do
    :: turns < 2 ->
       turns++;
       atomic { /* any handle, any tag, also half of one and half of another */
           select(generation : 1 .. GENERATIONS);
           select(word0 : 1 .. TAGS);
           if
           :: word1 = word0
           :: word0 < TAGS -> word1 = word0 + 1
           :: word0 > 1 -> word1 = word0 - 1
           fi;
           my_stage2 = stage2;
           began = (word0 == word1 -> TOKEN(generation, word0) : BEFORE)
       }
       atomic {
           before_alive = live_alive;
           before_generation = live_generation;
           before_version = live_version
       }
       right = before_alive && before_generation == generation;
       atomic { right = right && tag0 == word0 }
       atomic { right = right && tag1 == word1 }
#ifndef NO_REREAD
       atomic {
           right = right && live_alive == before_alive && live_version == before_version &&
                   live_generation == before_generation
       }
#endif
       atomic {
           known = memo_version == before_version && memo_stage2 == my_stage2;
           if
           :: right ->
              assert(word0 == word1 && began != DEAD && TOKEN(generation, word0) != BEFORE);
              if
              :: known -> assert(right_frame[my_stage2])
              :: else -> skip
              fi
           :: else ->
              assert(!(word0 == word1 && began == ALIVE && TOKEN(generation, word0) == ALIVE))
           fi
       }
       if
       :: right && !known && right_frame[my_stage2] -> /* walked; a check with the frame follows */
          memo_version = before_version;
          memo_stage2 = my_stage2
       :: else -> skip
       fi;
       atomic { /* nothing else is kept from check to check */
           generation = 0;
           word0 = 0;
           word1 = 0;
           began = 0;
           before_version = 0;
           before_generation = 0;
           before_alive = false;
           my_stage2 = 0;
           right = false;
           known = false
       }
    :: break
    od
}

init
{
    right_frame[1] = true;
    atomic {
        run changer();
        run mapper();
        run vcpu()
    }
}
