//! Which folder is the workspace.

use std::path::{Path, PathBuf};

/// The workspace root: the nearest folder with `.assist/`, else the Git top level, else the client's folder, else the
/// file's folder (and with neither, the current folder).
///
/// The search climbs from the file's folder, or from the client's without a file. The user's home folder counts only when
/// it is itself where the search starts: a stray `~/.assist` or `~/.git` must not swallow every project below it.
/// The file need not exist.
pub fn workspace_root(client_folder: Option<&Path>, file: Option<&Path>) -> PathBuf {
    let client = client_folder.map(settled);
    let folder = file.map(settled).map(|file| file.parent().map_or_else(|| file.clone(), Path::to_path_buf));
    let current = || std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let start = folder.clone().or_else(|| client.clone()).unwrap_or_else(current);
    search(&start, std::env::home_dir().as_deref().map(settled).as_deref())
        .or(client)
        .or(folder)
        .unwrap_or(start)
}

fn search(start: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let climb = || start.ancestors().filter(|at| *at == start || Some(*at) != home);
    climb()
        .find(|at| is_real_folder(&at.join(".assist")))
        // In a worktree or submodule `.git` is a file.
        .or_else(|| climb().find(|at| at.join(".git").exists()))
        .map(Path::to_path_buf)
}

fn is_real_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// Absolute, with links resolved as far as the path exists.
pub(crate) fn settled(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    for existing in absolute.ancestors() {
        if let (Ok(real), Ok(rest)) = (existing.canonicalize(), absolute.strip_prefix(existing)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    absolute
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_of_what_marks_a_workspace_wins() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let (repository, package, other) = (top.join("repo"), top.join("repo/pkg/src"), top.join("other"));
        fs::create_dir_all(repository.join(".git")).unwrap();
        fs::create_dir_all(&package).unwrap();
        fs::create_dir_all(&other).unwrap();
        let file = package.join("new.ts");

        // Neither Git nor .assist: the client's folder, else the file's.
        assert_eq!(workspace_root(Some(&top), Some(&other.join("x.ts"))), top);
        assert_eq!(workspace_root(None, Some(&other.join("x.ts"))), other);
        // Git wins over the client's folder.
        assert_eq!(workspace_root(Some(&package), Some(&file)), repository);
        assert_eq!(workspace_root(Some(&package), None), repository);
        // .assist wins over Git, nearest first, above and below the Git top level.
        fs::create_dir(top.join(".assist")).unwrap();
        assert_eq!(workspace_root(Some(&package), Some(&file)), top);
        fs::create_dir(top.join("repo/pkg/.assist")).unwrap();
        assert_eq!(workspace_root(Some(&top), Some(&file)), top.join("repo/pkg"));
    }

    #[test]
    fn the_home_folder_does_not_swallow_projects() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let project = home.join("project");
        fs::create_dir_all(home.join(".assist")).unwrap();
        fs::create_dir_all(&project).unwrap();
        assert_eq!(search(&project, Some(&home)), None);
        assert_eq!(search(&home, Some(&home)), Some(home.clone()));
    }

    #[test]
    #[cfg(unix)]
    fn a_file_reached_through_a_link_belongs_to_its_real_folder() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("real/.git")).unwrap();
        std::os::unix::fs::symlink(top.join("real"), top.join("link")).unwrap();
        assert_eq!(workspace_root(None, Some(&top.join("link/a.ts"))), top.join("real"));
    }
}
