// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Says which Raspberry Pi this is, where one says it: /proc/device-tree/system/linux,revision.
 * gpiozero wants to know. A module, because each service with a /proc of its own must see it.
 */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static uint revision = 0xc03111; /* a Pi 4B with 4 GB */
module_param(revision, uint, 0444);

static int show(struct seq_file *file, void *unused)
{
	__be32 found = cpu_to_be32(revision);

	return seq_write(file, &found, sizeof(found));
}

static int __init begin(void)
{
	struct proc_dir_entry *folder = proc_mkdir("device-tree", NULL);

	folder = folder ? proc_mkdir("system", folder) : NULL;
	if (!folder || !proc_create_single("linux,revision", 0444, folder, show)) {
		remove_proc_subtree("device-tree", NULL);
		return -ENOMEM;
	}
	return 0;
}

static void __exit end(void)
{
	remove_proc_subtree("device-tree", NULL);
}

module_init(begin);
module_exit(end);
MODULE_DESCRIPTION("The revision of a Raspberry Pi");
MODULE_LICENSE("GPL");
