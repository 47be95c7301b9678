// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * An I2C bus without wires, for tests. One device is on it (address=), and keeps all that is
 * written to it, each message with its time, for debugfs recorder/messages. present=0 pulls it
 * off: every message then ends as on a bus where nobody answers.
 *
 * A message in the file: struct head, then its bytes. Writing to the file empties it.
 */
#include <linux/debugfs.h>
#include <linux/i2c.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/vmalloc.h>

#define ROOM (8u << 20)

struct head {
	__le64 nanoseconds; /* CLOCK_MONOTONIC, at the message's end */
	__le32 length;
} __packed;

static int bus = 1;
module_param(bus, int, 0444);
static ushort address = 0x3c;
module_param(address, ushort, 0444);
static bool present = true;
module_param(present, bool, 0644);

static DEFINE_MUTEX(turn);
static u8 *kept;
static size_t filled;
static struct dentry *folder;

static int keep(const struct i2c_msg *message)
{
	struct head head = {
		.nanoseconds = cpu_to_le64(ktime_get_ns()),
		.length = cpu_to_le32(message->len),
	};

	if (filled + sizeof(head) + message->len > ROOM)
		return -ENOSPC;
	memcpy(kept + filled, &head, sizeof(head));
	memcpy(kept + filled + sizeof(head), message->buf, message->len);
	filled += sizeof(head) + message->len;
	return 0;
}

static int transfer(struct i2c_adapter *adapter, struct i2c_msg *messages, int count)
{
	int i, error = 0;

	mutex_lock(&turn);
	for (i = 0; i < count && !error; i++) {
		if (!present || messages[i].addr != address)
			error = -EREMOTEIO;
		else if (messages[i].flags & I2C_M_RD)
			memset(messages[i].buf, 0, messages[i].len);
		else
			error = keep(&messages[i]);
	}
	mutex_unlock(&turn);
	return error ? error : count;
}

static u32 functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
}

static const struct i2c_algorithm algorithm = {
	.master_xfer = transfer,
	.functionality = functionality,
};

static struct i2c_adapter adapter = {
	.owner = THIS_MODULE,
	.algo = &algorithm,
	.name = "laned recorder",
};

static ssize_t read_kept(struct file *file, char __user *to, size_t size, loff_t *at)
{
	ssize_t result;

	mutex_lock(&turn);
	result = simple_read_from_buffer(to, size, at, kept, filled);
	mutex_unlock(&turn);
	return result;
}

static ssize_t empty(struct file *file, const char __user *from, size_t size, loff_t *at)
{
	mutex_lock(&turn);
	filled = 0;
	mutex_unlock(&turn);
	return size;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.read = read_kept,
	.write = empty,
};

static int __init begin(void)
{
	int error;

	kept = vmalloc(ROOM);
	if (!kept)
		return -ENOMEM;
	adapter.nr = bus;
	error = i2c_add_numbered_adapter(&adapter);
	if (error) {
		vfree(kept);
		return error;
	}
	folder = debugfs_create_dir("recorder", NULL);
	debugfs_create_file("messages", 0600, folder, NULL, &operations);
	return 0;
}

static void __exit end(void)
{
	debugfs_remove_recursive(folder);
	i2c_del_adapter(&adapter);
	vfree(kept);
}

module_init(begin);
module_exit(end);
MODULE_DESCRIPTION("An I2C bus without wires that keeps what is written");
MODULE_LICENSE("GPL");
