/* A stand-in for NVIDIA's libnvidia-ml.so.1. What it says stands in the file named by NVML_STUB, one
   "key value" a line, and is read anew at every call, so that a test can heat or unplug a GPU between
   two calls. Keys: init, gpus, and for GPU N: N.lost N.hot (temperature) N.used (MiB) N.slices
   N.energy (mJ, grows by N.step at each reading) N.pid N.pidmib N.nometers, and N.M.used of a slice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } utilization_t;
typedef struct { unsigned int pid; unsigned long long used; unsigned int gpu_instance, compute_instance; } process_t;
typedef struct { int index, slice; } device_t; /* slice is -1 for a whole GPU */

enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, LOST = 15 };
enum { GPUS = 8, SLICES = 7 };
static device_t devices[GPUS][SLICES + 1];
static unsigned long long readings[GPUS];

static long says(const char *key, long otherwise) {
    const char *path = getenv("NVML_STUB");
    FILE *file = path ? fopen(path, "r") : NULL;
    char name[64];
    long value, found = otherwise;
    while (file && fscanf(file, "%63s %ld", name, &value) == 2)
        if (strcmp(name, key) == 0) found = value;
    if (file) fclose(file);
    return found;
}
static long of(int index, const char *what, long otherwise) {
    char key[64];
    snprintf(key, sizeof key, "%d.%s", index, what);
    return says(key, otherwise);
}
static int lost(const device_t *device) { return of(device->index, "lost", 0) ? LOST : OK; }

int nvmlInitWithFlags(unsigned int flags) { (void)flags; return (int)says("init", 0); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { (void)code; return "stub error"; }
int nvmlSystemGetDriverVersion(char *text, unsigned int size) {
    snprintf(text, size, "560.35.03");
    return OK;
}
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = (unsigned int)says("gpus", 1); return OK; }
static int give(int index, int slice, device_t **device) {
    *device = &devices[index][slice + 1];
    (*device)->index = index;
    (*device)->slice = slice;
    return lost(*device);
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, device_t **device) {
    return (long)index < says("gpus", 1) ? give((int)index, -1, device) : NOT_FOUND;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, device_t **device) {
    int index, slice = -1;
    if (sscanf(uuid, "MIG-%d-%d", &index, &slice) != 2 && sscanf(uuid, "GPU-%d", &index) != 1)
        return NOT_FOUND;
    if (index >= says("gpus", 1) || slice >= of(index, "slices", 0)) return NOT_FOUND;
    return give(index, slice, device);
}
int nvmlDeviceGetName(device_t *device, char *text, unsigned int size) {
    snprintf(text, size, device->slice < 0 ? "NVIDIA Stub 9000" : "NVIDIA Stub 9000 MIG 1g.3gb");
    return lost(device);
}
int nvmlDeviceGetUUID(device_t *device, char *text, unsigned int size) {
    if (device->slice < 0) snprintf(text, size, "GPU-%d", device->index);
    else snprintf(text, size, "MIG-%d-%d", device->index, device->slice);
    return lost(device);
}
int nvmlDeviceGetMemoryInfo(device_t *device, memory_t *memory) {
    char key[64];
    snprintf(key, sizeof key, device->slice < 0 ? "%d.used" : "%d.%d.used", device->index, device->slice);
    memory->total = (device->slice < 0 ? 24ULL : 3ULL) << 30;
    memory->used = (unsigned long long)says(key, 0) << 20;
    memory->free = memory->total - memory->used;
    return lost(device);
}
int nvmlDeviceGetCudaComputeCapability(device_t *device, int *major, int *minor) {
    *major = 8;
    *minor = 9;
    return lost(device);
}
int nvmlDeviceGetMigMode(device_t *device, unsigned int *now, unsigned int *later) {
    long slices = of(device->index, "slices", -1); /* consumer GPUs have none */
    *now = *later = slices >= 0;
    return slices < 0 ? NOT_SUPPORTED : lost(device);
}
int nvmlDeviceGetMaxMigDeviceCount(device_t *device, unsigned int *count) {
    *count = SLICES;
    return lost(device);
}
int nvmlDeviceGetMigDeviceHandleByIndex(device_t *device, unsigned int slice, device_t **found) {
    return (long)slice < of(device->index, "slices", 0) ? give(device->index, (int)slice, found) : NOT_FOUND;
}
int nvmlDeviceGetTotalEnergyConsumption(device_t *device, unsigned long long *energy) {
    if (of(device->index, "nometers", 0)) return NOT_SUPPORTED;
    *energy = (unsigned long long)of(device->index, "energy", 1000)
        + (unsigned long long)of(device->index, "step", 0) * readings[device->index]++;
    return lost(device);
}
int nvmlDeviceGetPowerUsage(device_t *device, unsigned int *power) {
    *power = 75000;
    return of(device->index, "nometers", 0) ? NOT_SUPPORTED : lost(device);
}
int nvmlDeviceGetTemperature(device_t *device, int sensor, unsigned int *temperature) {
    (void)sensor;
    *temperature = (unsigned int)of(device->index, "hot", 41);
    return device->slice >= 0 ? NOT_SUPPORTED : lost(device);
}
int nvmlDeviceGetUtilizationRates(device_t *device, utilization_t *rates) {
    rates->gpu = 17;
    rates->memory = 3;
    return of(device->index, "nometers", 0) ? NOT_SUPPORTED : lost(device);
}
int nvmlDeviceGetComputeRunningProcesses_v3(device_t *device, unsigned int *count, process_t *processes) {
    long pid = of(device->index, "pid", 0);
    if (pid == 0) { *count = 0; return lost(device); }
    if (*count < 1 || processes == NULL) { *count = 1; return INSUFFICIENT_SIZE; }
    *count = 1;
    memset(processes, 0, sizeof *processes);
    processes->pid = (unsigned int)pid;
    processes->used = (unsigned long long)of(device->index, "pidmib", 0) << 20;
    return lost(device);
}
