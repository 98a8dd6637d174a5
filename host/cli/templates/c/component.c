/* The component. Every function that its world (wit/world.wit) exports is a task. */

#include <stdlib.h>

#include "greeting.h"
#include "guest.h"

void exports_guest_hello(guest_string_t *name, guest_string_t *ret) {
    ret->ptr = (uint8_t *)greeting((const char *)name->ptr, name->len, &ret->len);
    guest_string_free(name);
    if (ret->ptr == NULL) {
        abort();
    }
}
