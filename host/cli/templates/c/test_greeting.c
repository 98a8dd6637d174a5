#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "greeting.h"

int main(void) {
    const char *expected = "Hello, World!";
    size_t length;
    char *found = greeting("World", 5, &length);
    int is_right = found != NULL && length == strlen(expected) && memcmp(found, expected, length) == 0;
    printf("greeting greets by name: %s\n", is_right ? "ok" : "FAILED");
    free(found);
    return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}
